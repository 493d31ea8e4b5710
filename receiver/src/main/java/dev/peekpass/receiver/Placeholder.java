package dev.peekpass.receiver;

/** Placeholder. */
public final class Placeholder {
  private Placeholder() {}
}
