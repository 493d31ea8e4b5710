package dev.peekpass.proxy.handoff;

/**
 * How long a channel is left alone after its receiver has ended it or refused, longer each time
 * until the receiver has taken a connection: one that takes none must not keep the loop busy.
 *
 * <pre>{@code
 * ended: 0, 20, 40, 80, 160, 320, 640, 1000, 1000 … ms
 * }</pre>
 */
final class Rest {
  /** After it gave connections back, by word or by ending, the first time. */
  static final long SHORT_NANOS = 20_000_000;

  /** After it broke the protocol; and the longest that it grows to. */
  static final long LONG_NANOS = 1_000_000_000L;

  /** Behind this many ends in a row the rest has grown to {@link #LONG_NANOS}. */
  private static final int MOST_DOUBLINGS = 6;

  private long untilNanos = Long.MIN_VALUE;
  private int inARow;

  /** Whether it is left alone. */
  boolean isOn(long nowNanos) {
    return untilNanos > nowNanos;
  }

  /** Whether it is left alone for longer than it takes to give connections back. */
  boolean isLong(long nowNanos) {
    return untilNanos > nowNanos + SHORT_NANOS;
  }

  /** It gave a connection back: leaves it alone for longer each time. */
  void gaveBack(long nowNanos) {
    rest(nowNanos, SHORT_NANOS);
  }

  /**
   * It has ended a UNIX connection. The first time it may be tried again at once: another receiver
   * may have the path.
   *
   * @param sinceNanos when the connection was made; one that has lasted begins the row anew
   * @param leastNanos how long to leave it alone at least
   */
  void ended(long nowNanos, long sinceNanos, long leastNanos) {
    if (nowNanos - sinceNanos >= LONG_NANOS) {
      inARow = 0;
    }
    rest(nowNanos, leastNanos);
  }

  private void rest(long nowNanos, long leastNanos) {
    long grown =
        inARow == 0 ? 0 : Math.min(SHORT_NANOS << Math.min(inARow - 1, MOST_DOUBLINGS), LONG_NANOS);
    untilNanos = nowNanos + Math.max(leastNanos, grown);
    inARow++;
  }

  /** Whether it has done so more than once since it last took a connection. */
  boolean isAgain() {
    return inARow > 1;
  }

  /** It has taken a connection. */
  void taken() {
    inARow = 0;
  }

  /** It is another receiver from now on. */
  void end() {
    untilNanos = Long.MIN_VALUE;
  }
}
