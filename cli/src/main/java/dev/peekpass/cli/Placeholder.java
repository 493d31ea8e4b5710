package dev.peekpass.cli;

/** Placeholder. */
public final class Placeholder {
  private Placeholder() {}
}
