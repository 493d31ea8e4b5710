package dev.peekpass.receiver;

import dev.peekpass.linux.Kernel;
import java.lang.System.Logger.Level;

/** Warns at most once an interval, so that who sends junk cannot fill the log with it. */
final class RateLimitedLog {
  private final Kernel clock;
  private final ReceiverLog log;
  private final long intervalNanos;
  private boolean said;
  private long saidAtNanos;
  private long leftOut;

  RateLimitedLog(Kernel clock, ReceiverLog log, long intervalNanos) {
    this.clock = clock;
    this.log = log;
    this.intervalNanos = intervalNanos;
  }

  /** Logs the message, or counts it for the next one that is logged. */
  void warn(String message) {
    long now = clock.nanoTime();
    if (said && now - saidAtNanos < intervalNanos) {
      leftOut++;
      return;
    }
    log.log(Level.WARNING, leftOut == 0 ? message : message + " (and " + leftOut + " more alike)");
    said = true;
    saidAtNanos = now;
    leftOut = 0;
  }
}
