package dev.peekpass.simulation;

import org.jspecify.annotations.Nullable;

/**
 * The code under test did what it never may. An error, so that code that survives exceptions does
 * not survive this.
 */
public final class Violation extends AssertionError {
  private static final long serialVersionUID = 1;

  /** The first of a thread, in case that the code under test survives it, or throws another. */
  private static final ThreadLocal<@Nullable Violation> FIRST = new ThreadLocal<>();

  /** Says what was done. */
  public Violation(String message) {
    super(message);
    if (FIRST.get() == null) {
      FIRST.set(this);
    }
  }

  /** Whether there was one in this thread, so that all that follows is of no account. */
  static boolean isKnown() {
    return FIRST.get() != null;
  }

  /** The first of this thread since the last call, or null. */
  public static @Nullable Violation takeFirst() {
    Violation first = FIRST.get();
    FIRST.remove();
    return first;
  }
}
