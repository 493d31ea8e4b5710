package dev.peekpass.proxy.probe;

import java.io.IOException;
import java.net.Socket;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends probes whose time is up, all of them by one thread: it closes the end that asks, which ends
 * whatever the prober waits for, close(2) of the other end too.
 */
final class Deadlines {
  private static final Logger LOG = LoggerFactory.getLogger(Deadlines.class);

  private final ScheduledThreadPoolExecutor timer =
      new ScheduledThreadPoolExecutor(
          1, Thread.ofPlatform().daemon().name("probe-deadlines").factory());

  Deadlines() {
    timer.setRemoveOnCancelPolicy(true);
  }

  /**
   * Sets a deadline.
   *
   * @return to be cancelled once the probe has ended
   */
  Future<?> closeAfter(Socket asking, int millis) {
    return timer.schedule(() -> close(asking), millis, TimeUnit.MILLISECONDS);
  }

  private static void close(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      LOG.debug("a probe's socket", e);
    }
  }

  /** Lets what is under way come to its deadline, and takes no more. */
  void end() {
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(true);
    timer.shutdown();
  }
}
