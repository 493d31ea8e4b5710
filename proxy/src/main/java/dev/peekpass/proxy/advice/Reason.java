package dev.peekpass.proxy.advice;

import java.util.Objects;

/** Why something failed, for a message. */
public final class Reason {
  private Reason() {}

  /** What a failure says; what it is, where it says nothing. */
  public static String of(Throwable failure) {
    return Objects.requireNonNullElse(failure.getMessage(), failure.toString());
  }
}
