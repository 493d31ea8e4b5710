package dev.peekpass.linux;

/** Placeholder. */
public final class Placeholder {
  private Placeholder() {}
}
