package dev.peekpass.proxy;

/** Placeholder. */
public final class Placeholder {
  private Placeholder() {}
}
