package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;

/**
 * What a receiver does at the process's limit of open descriptors: it asks for a pause, each longer
 * than the one before, since level-triggered epoll would report the same again and again.
 *
 * <pre>{@code
 *           reached: 1, 2, 4 … 50 ms
 * ┌─> look ─────────────────────────> pause ─┐
 * │    └─ a message was taken: 1 ms again    │
 * └──────────────────────────────────────────┘
 * }</pre>
 */
final class DescriptorLimit {
  /** The longest wait before looking again. */
  private static final int PAUSE_MAX_MILLIS = 50;

  private static final long LOG_INTERVAL_NANOS = 60_000_000_000L;

  private final Kernel kernel;
  private final String name;
  private final Tally tally;
  private final RateLimitedLog log;
  private int nextPauseMillis = 1;
  private int pauseMillis;

  /**
   * Begins without a pause.
   *
   * @param name the receiver's, for the log
   */
  DescriptorLimit(Kernel kernel, String name, Tally tally, ReceiverLog log) {
    this.kernel = kernel;
    this.name = name;
    this.tally = tally;
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
  }

  /** Asks for a pause. */
  void reached(String why) {
    tally.waitsForRoom.increment();
    pauseMillis = nextPauseMillis;
    nextPauseMillis = Math.min(2 * nextPauseMillis, PAUSE_MAX_MILLIS);
    warn(why + ": taking nothing until there is room");
  }

  /** Logs what happens because of the limit, and what to do, once a minute. */
  void warn(String what) {
    log.warn(
        name
            + ": "
            + what
            + ". The limit is "
            + limit()
            + " open descriptors (RLIMIT_NOFILE): raise it, or close connections sooner");
  }

  /** A message was taken: the next pause is short again. */
  void passed() {
    nextPauseMillis = 1;
  }

  /** Another look begins, which needs no pause yet. */
  void begin() {
    pauseMillis = 0;
  }

  /** How long to pause before the next look, in milliseconds; 0 for not at all. */
  int pauseMillis() {
    return pauseMillis;
  }

  /** How many descriptors the process may have open. */
  int limit() {
    return kernel.getrlimit(Linux.RLIMIT_NOFILE);
  }
}
