package dev.peekpass.proxy.confine;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.ProcessCalls.Notification;
import dev.peekpass.linux.ProcessCalls.Notifications;
import dev.peekpass.linux.SystemCallTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers the system calls that are told ({@link CallRules#TOLD}): each is refused with EPERM,
 * counted by name, and logged, at most one line in ten seconds. A proxy makes none of them: who
 * sees such a line should find out what runs in the process.
 */
final class RefusedCalls {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private static final long LOG_NANOS = 10_000_000_000L;
  private static final long REST_MILLIS = 10;

  private final Notifications notifications;
  private final SystemCallTable table;
  private final Map<String, Long> counts = new TreeMap<>();
  private long logAgainNanos = Long.MIN_VALUE;
  private long unsaid;

  private RefusedCalls(Fd listener, SystemCallTable table) {
    notifications = new Notifications(listener);
    this.table = table;
  }

  /**
   * Begins to answer. What is told waits until then.
   *
   * @param listener stays open as long as the process: were it closed, the calls would fail with
   *     ENOSYS and nobody would know
   */
  static RefusedCalls start(Fd listener, SystemCallTable table) {
    RefusedCalls refused = new RefusedCalls(listener, table);
    Thread.ofPlatform().daemon().name("refused-calls").start(refused::run);
    return refused;
  }

  /** How often each call was refused, by name. */
  synchronized Map<String, Long> counts() {
    return new TreeMap<>(counts);
  }

  private void run() {
    while (true) {
      try {
        Optional<Notification> call = notifications.receive();
        if (call.isEmpty()) {
          // A signal, or the caller has ended. Should it fail for ever, it must not spin.
          Thread.sleep(REST_MILLIS);
          continue;
        }
        // Before anything else: the caller waits.
        String thread = threadName(call.get().thread());
        notifications.refuse(call.get(), Errno.EPERM);
        tell(table.name(call.get().number()), thread);
      } catch (InterruptedException | RuntimeException | OutOfMemoryError e) {
        // It goes on, whatever happens: nobody else answers.
      }
    }
  }

  private void tell(String name, String thread) {
    long others;
    long now = System.nanoTime();
    synchronized (this) {
      counts.merge(name, 1L, Long::sum);
      if (logAgainNanos != Long.MIN_VALUE && now - logAgainNanos < 0) {
        unsaid++;
        return;
      }
      logAgainNanos = now + LOG_NANOS;
      others = unsaid;
      unsaid = 0;
    }
    LOG.warn(
        "refused the system call {} of thread {}{}: the proxy never makes it: see what runs in this"
            + " process",
        name,
        thread,
        others == 0 ? "" : " (and " + others + " more since the last such line)");
  }

  private static String threadName(int id) {
    try {
      // proc_pid_comm(5); what a thread calls itself may have anything in it.
      String name = Files.readString(Path.of("/proc/self/task/" + id + "/comm")).strip();
      return id + " (" + name.replaceAll("[^\\x20-\\x7e]", "?") + ")";
    } catch (IOException | RuntimeException e) {
      return String.valueOf(id);
    }
  }
}
