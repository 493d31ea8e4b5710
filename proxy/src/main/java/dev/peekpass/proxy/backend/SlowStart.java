package dev.peekpass.proxy.backend;

/** How much of its part a socket gets that has come back: a share that grows with time. */
public final class SlowStart {
  /** What it begins with, in thousandths. */
  public static final int LEAST = 20;

  private final long periodNanos;
  private long sinceNanos;
  private boolean growing;

  /**
   * Begins with all of it.
   *
   * @param periodNanos how long a share grows; 0: it is there at once
   */
  public SlowStart(long periodNanos) {
    this.periodNanos = periodNanos;
  }

  /** The socket has come back. */
  public void begin(long nowNanos) {
    sinceNanos = nowNanos;
    growing = periodNanos > 0;
  }

  /** The share now, {@link #LEAST} to {@link Rotation#WHOLE}. */
  public int share(long nowNanos) {
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
