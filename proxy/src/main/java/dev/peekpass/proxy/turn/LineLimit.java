package dev.peekpass.proxy.turn;

/** Lets a line that may repeat into the log: the first at once, then one in a time. */
public final class LineLimit {
  /** Between two lines. */
  public static final long NANOS = 5_000_000_000L;

  private long againNanos = Long.MIN_VALUE;
  private long leftOut;

  /** Whether to log it now; {@link #leftOut} ends the line then. */
  public boolean allows(long nowNanos) {
    if (nowNanos < againNanos) {
      leftOut++;
      return false;
    }
    againNanos = nowNanos + NANOS;
    return true;
  }

  /** How many were not logged since the last one that was, as the end of a line. */
  public String leftOut() {
    String text = leftOut == 0 ? "" : " (" + leftOut + " like it were not logged)";
    leftOut = 0;
    return text;
  }
}
