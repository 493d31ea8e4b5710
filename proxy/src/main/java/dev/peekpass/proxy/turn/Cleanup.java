package dev.peekpass.proxy.turn;

import org.jspecify.annotations.Nullable;

/**
 * Closes one thing after the other, whatever one of them throws. A RuntimeException is logged. The
 * first Error is thrown at the end, when everything has had its turn.
 */
public final class Cleanup {
  private final Turn turn;
  private @Nullable Error first;

  /** Begins with nothing thrown. */
  public Cleanup(Turn turn) {
    this.turn = turn;
  }

  /** Does one thing. */
  public void attempt(Runnable closing) {
    try {
      closing.run();
    } catch (RuntimeException e) {
      log(e);
    } catch (Error e) {
      keep(e);
    }
  }

  private void log(RuntimeException e) {
    try {
      turn.fault("something could not be closed", e);
    } catch (RuntimeException | Error broken) {
      keep(new Error("nothing can be logged any more", broken));
    }
  }

  private void keep(Error e) {
    if (first == null) {
      first = e;
    }
  }

  /** Throws the first Error, if there was one. */
  public void end() {
    if (first != null) {
      throw first;
    }
  }
}
