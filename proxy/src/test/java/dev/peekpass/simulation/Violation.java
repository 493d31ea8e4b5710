package dev.peekpass.simulation;

/**
 * The code under test did what it never may. An error, so that code that survives exceptions does
 * not survive this.
 */
public final class Violation extends AssertionError {
  private static final long serialVersionUID = 1;

  /** Says what was done. */
  public Violation(String message) {
    super(message);
  }
}
