package dev.peekpass.cli.process;

/**
 * What each SIGTERM and SIGINT of a process means. The first asks it to stop. Supervisors and
 * timeout(1) send SIGTERM to a process and again to its group, or beside the SIGINT that a terminal
 * has sent to all, in no order that holds: what comes within {@link #SAME_NANOS} of the first is
 * the same request. A later one is of somebody who will not wait, and a second SIGINT always is:
 * somebody types it.
 */
final class StopSignals {
  /** How long after the first signal another is still part of it. */
  static final long SAME_NANOS = 300_000_000;

  /** What a signal asks for. */
  enum Request {
    STOP,
    NOTHING,
    END_AT_ONCE
  }

  // Loads what is needed when a signal comes: the program's files may be others by then.
  private Request latest = Request.NOTHING;
  private boolean asked;
  private boolean interrupted;
  private long firstNanos;

  /**
   * A signal has come.
   *
   * @param interrupt whether it is SIGINT, not SIGTERM
   * @param nowNanos by System.nanoTime
   */
  synchronized Request received(boolean interrupt, long nowNanos) {
    boolean again = interrupt && interrupted;
    interrupted |= interrupt;
    if (!asked) {
      asked = true;
      firstNanos = nowNanos;
      latest = Request.STOP;
    } else if (again || nowNanos - firstNanos >= SAME_NANOS) {
      latest = Request.END_AT_ONCE;
    } else {
      latest = Request.NOTHING;
    }
    return latest;
  }
}
