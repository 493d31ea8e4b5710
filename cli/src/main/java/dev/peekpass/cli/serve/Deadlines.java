package dev.peekpass.cli.serve;

import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Ends waits that last too long by closing what is waited on. One thread looks at all deadlines
 * every {@link #RESOLUTION_MILLIS}.
 *
 * <p>Not by SO_TIMEOUT, which knows nothing of writes, and which makes a virtual thread's channel
 * blocking again, so that sendfile(2) would hold its carrier thread.
 */
final class Deadlines implements Closeable {
  /** How late a deadline may be noticed. */
  static final int RESOLUTION_MILLIS = 100;

  private final LongSupplier nanoClock;
  private final Set<Deadline> deadlines = ConcurrentHashMap.newKeySet();
  private final Thread thread;
  private volatile boolean closed;

  /** One wait's end, which may be set anew again and again. */
  final class Deadline implements Closeable {
    private final Closeable waitedOn;
    private volatile long atNanos;
    private volatile boolean passed;

    private Deadline(Closeable waitedOn, Duration after) {
      this.waitedOn = waitedOn;
      in(after);
    }

    /** Sets the deadline anew. */
    void in(Duration after) {
      atNanos = nanoClock.getAsLong() + after.toNanos();
    }

    /** Whether it was this deadline that closed what was waited on. */
    boolean passed() {
      return passed;
    }

    /** Nothing is waited for any more. */
    @Override
    public void close() {
      deadlines.remove(this);
    }
  }

  /** Deadlines on a clock like {@link System#nanoTime()}. */
  Deadlines(LongSupplier nanoClock) {
    this.nanoClock = nanoClock;
    // A platform thread: it must run when all carriers are busy.
    thread = Thread.ofPlatform().daemon().name("deadlines").start(this::watch);
  }

  /**
   * Closes something when time is up.
   *
   * @param waitedOn its close() must end the wait and must not block
   */
  Deadline watch(Closeable waitedOn, Duration after) {
    Deadline deadline = new Deadline(waitedOn, after);
    deadlines.add(deadline);
    return deadline;
  }

  /** Closes everything whose time is up now. */
  void sweep() {
    long now = nanoClock.getAsLong();
    List<Deadline> due =
        deadlines.stream().filter(deadline -> deadline.atNanos - now <= 0).toList();
    for (Deadline deadline : due) {
      // Whose wait ended in the meantime is not touched.
      if (deadlines.remove(deadline)) {
        deadline.passed = true;
        closeQuietly(deadline.waitedOn);
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
  }

  private void watch() {
    while (!closed) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(RESOLUTION_MILLIS));
      sweep();
    }
  }

  private static void closeQuietly(Closeable waitedOn) {
    try {
      waitedOn.close();
    } catch (IOException e) {
      // The wait ends all the same: a channel counts as closed even when close(2) fails.
      return;
    }
  }
}
