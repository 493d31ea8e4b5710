package dev.peekpass.proxy.handoff;

/**
 * How long a channel is left alone after its receiver has ended it or refused: one that does so at
 * every offer, or before its hello, must not keep the loop busy.
 */
final class Rest {
  /** After it gave connections back, by word or by ending. */
  static final long SHORT_NANOS = 20_000_000;

  /** After it broke the protocol. */
  static final long LONG_NANOS = 1_000_000_000L;

  private long untilNanos = Long.MIN_VALUE;
  private long ungreetedNanos = SHORT_NANOS;

  /** Whether it is left alone. */
  boolean isOn(long nowNanos) {
    return untilNanos > nowNanos;
  }

  /** Whether it is left alone for longer than it takes to give connections back. */
  boolean isLong(long nowNanos) {
    return untilNanos > nowNanos + SHORT_NANOS;
  }

  /** Leaves it alone for a time. */
  void rest(long nowNanos, long nanos) {
    untilNanos = nowNanos + nanos;
  }

  /** It has ended without a hello: leaves it alone for longer each time. */
  void restUngreeted(long nowNanos, long nanos) {
    rest(nowNanos, Math.max(nanos, ungreetedNanos));
    ungreetedNanos = Math.min(2 * ungreetedNanos, LONG_NANOS);
  }

  /** It has said hello. */
  void greeted() {
    ungreetedNanos = SHORT_NANOS;
  }

  /** It is another receiver from now on. */
  void end() {
    untilNanos = Long.MIN_VALUE;
  }
}
