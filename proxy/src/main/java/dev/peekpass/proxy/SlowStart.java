package dev.peekpass.proxy;

/** How much of its part a socket gets that has come back: a share that grows with time. */
final class SlowStart {
  /** What it begins with, in thousandths. */
  static final int LEAST = 20;

  private final long periodNanos;
  private long sinceNanos;
  private boolean growing;

  /**
   * Begins with all of it.
   *
   * @param periodNanos how long a share grows; 0: it is there at once
   */
  SlowStart(long periodNanos) {
    this.periodNanos = periodNanos;
  }

  /** The socket has come back. */
  void begin(long nowNanos) {
    sinceNanos = nowNanos;
    growing = periodNanos > 0;
  }

  /** The share now, {@link #LEAST} to {@link Rotation#WHOLE}. */
  int share(long nowNanos) {
    if (!growing) {
      return Rotation.WHOLE;
    }
    long passed = nowNanos - sinceNanos;
    if (passed >= periodNanos) {
      growing = false;
      return Rotation.WHOLE;
    }
    return (int) Math.max(LEAST, Rotation.WHOLE * passed / periodNanos);
  }
}
