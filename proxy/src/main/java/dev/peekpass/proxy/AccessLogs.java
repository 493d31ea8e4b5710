package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.status.Counters;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The access logs that a proxy has started, all to one place. */
final class AccessLogs {
  private final LineSink out;
  private final List<AccessLog> started = new CopyOnWriteArrayList<>();

  AccessLogs(LineSink out) {
    this.out = out;
  }

  /** See {@link Facilities#startLog}. */
  AccessLog start(Counters counters, boolean enabled) throws SystemCallException {
    AccessLog log = new AccessLog(enabled ? out : null);
    started.removeIf(AccessLog::isWritten);
    try {
      log.start(counters);
    } catch (OutOfMemoryError e) {
      throw noThread(e);
    }
    started.add(log);
    return log;
  }

  /**
   * Waits until all that are closed are written.
   *
   * @param limit at most so long, for all together: a reader that does not read keeps nobody
   * @throws InterruptedException when the waiting thread is interrupted
   */
  void await(Duration limit) throws InterruptedException {
    long start = System.nanoTime();
    for (AccessLog log : started) {
      log.awaitWritten(limit.toNanos() - (System.nanoTime() - start));
    }
  }

  /** What to say when a thread cannot be started. */
  static SystemCallException noThread(OutOfMemoryError why) {
    SystemCallException told =
        new SystemCallException(
            "create a thread",
            Errno.EAGAIN,
            "raise the limit of threads (ulimit -u, TasksMax=), or free memory");
    told.initCause(why);
    return told;
  }
}
