package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.turn.Turn;

/** When to try sockets again that cannot tell when to: soon, then after growing waits. */
final class Retry {
  private static final long MIN_NANOS = 5_000_000;
  private static final long MAX_NANOS = 250_000_000;

  private final Turn turn;
  private long atNanos = Long.MAX_VALUE;
  private long waitNanos = MIN_NANOS;

  Retry(Turn turn) {
    this.turn = turn;
  }

  /** Something waits: there is to be a try. */
  void begin() {
    if (atNanos == Long.MAX_VALUE) {
      schedule(turn.nowNanos());
    }
  }

  /** Nothing waits any more. */
  void rest() {
    atNanos = Long.MAX_VALUE;
    waitNanos = MIN_NANOS;
  }

  boolean isDue(long nowNanos) {
    return atNanos <= nowNanos;
  }

  /** Something still waits after a try. */
  void again(long nowNanos, boolean progress) {
    waitNanos = progress ? MIN_NANOS : Math.min(2 * waitNanos, MAX_NANOS);
    schedule(nowNanos);
  }

  private void schedule(long nowNanos) {
    atNanos = nowNanos + waitNanos;
    turn.wakeBy(atNanos);
  }

  /** When the next try is, or {@link Long#MAX_VALUE}. */
  long atNanos() {
    return atNanos;
  }
}
