package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Closes in threads of its own what may keep whoever closes it waiting: what came from somebody who
 * is not trusted, or is shared with somebody who may let it linger (SO_LINGER, socket(7)).
 *
 * <p>There are no threads until there is something to close, and none when there was nothing for a
 * while. Each wait keeps one, so there are a few; behind them is a queue, and neither grows. Those
 * that wait are interrupted: a signal ends the wait in close(2), and the kernel goes on with what
 * was to be sent.
 */
final class ClosingAside {
  /** How many can wait at once. */
  static final int THREADS_MAX = 8;

  /** How many descriptors may be open because those before them take their time. */
  static final int QUEUE_MAX = 4096;

  private static final int IDLE_SECONDS = 5;

  /** How long they may wait. */
  private static final long PATIENCE_NANOS = 1_000_000;

  private final Supplier<Kernel> kernels;
  private final ThreadPoolExecutor threads;

  /** The threads that are closing something, as the kernel knows them. */
  private final Set<Integer> closing = ConcurrentHashMap.newKeySet();

  private final AtomicBoolean interrupting = new AtomicBoolean();
  private final ThreadFactory interrupters;

  /** How many close in a thread that is not of these. */
  private final AtomicInteger closingHere = new AtomicInteger();

  /**
   * Begins without a thread.
   *
   * @param kernels one for each thread that closes
   * @param name the receiver's, for the threads
   */
  ClosingAside(Supplier<Kernel> kernels, String name) {
    this(kernels, name, Thread.ofPlatform().daemon().name("peekpass-close interrupts").factory());
  }

  /** As the other, with other threads to interrupt those that close. */
  ClosingAside(Supplier<Kernel> kernels, String name, ThreadFactory interrupters) {
    this.kernels = kernels;
    this.interrupters = interrupters;
    threads =
        new ThreadPoolExecutor(
            THREADS_MAX,
            THREADS_MAX,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(QUEUE_MAX),
            Thread.ofPlatform().daemon().name("peekpass-close " + name).factory());
    threads.allowCoreThreadTimeOut(true);
  }

  /** How a descriptor is closed. */
  enum How {
    /** Its options stay as they are: it may be somebody else's as well. */
    AS_IT_IS,
    /** A UNIX connection, with all descriptors that were sent on it and not received. */
    WITH_WHAT_IS_IN_IT
  }

  /**
   * Closes a descriptor.
   *
   * @param fd not the caller's any more, unless this returns false
   * @return false when there is no room
   */
  boolean close(Fd fd, How how) {
    try {
      threads.execute(new Closing(kernels, closing, fd, how));
    } catch (RejectedExecutionException | OutOfMemoryError e) {
      // The latter says that there can be no more threads.
      return false;
    }
    // From here on it is not the caller's, whatever happens.
    interruptWhatWaits();
    return true;
  }

  /**
   * Closes a descriptor in the caller's thread, where there is no room for it. It may wait, but no
   * longer than the others.
   */
  void closeHere(Kernel kernel, Fd fd, How how) {
    closingHere.incrementAndGet();
    try {
      interruptWhatWaits();
      new Closing(() -> kernel, closing, fd, how).run();
    } finally {
      closingHere.decrementAndGet();
    }
  }

  private boolean somethingCloses() {
    return !closing.isEmpty() || !threads.getQueue().isEmpty() || closingHere.get() > 0;
  }

  /** Starts a thread that lives while something is being closed. */
  private void interruptWhatWaits() {
    if (!interrupting.compareAndSet(false, true)) {
      return;
    }
    try {
      interrupters.newThread(this::interruptWhileSomethingCloses).start();
    } catch (OutOfMemoryError e) {
      // There can be no more threads now. The next descriptor tries again.
      interrupting.set(false);
    }
  }

  /** Gets out those that wait in close(2); one that does not makes its call anew. */
  private void interruptWhileSomethingCloses() {
    boolean can;
    do {
      try {
        can = interruptUntilNothingCloses();
      } finally {
        interrupting.set(false);
      }
    } while (can && somethingCloses() && interrupting.compareAndSet(false, true));
  }

  /** Whether it can. */
  private boolean interruptUntilNothingCloses() {
    Kernel kernel = kernels.get();
    int process = kernel.getpid();
    if (kernel.catchSignal(Linux.SIGURG) < 0) {
      return false;
    }
    while (somethingCloses()) {
      LockSupport.parkNanos(PATIENCE_NANOS);
      for (int thread : closing) {
        kernel.tgkill(process, thread, Linux.SIGURG);
      }
    }
    return true;
  }

  /** Takes no more; what it has is closed. */
  void end() {
    threads.shutdown();
  }

  /** One that is to be closed. */
  static final class Closing implements Runnable {
    private final Supplier<Kernel> kernels;
    private final Set<Integer> closing;
    private final Fd fd;
    private final How how;

    Closing(Supplier<Kernel> kernels, Set<Integer> closing, Fd fd, How how) {
      this.kernels = kernels;
      this.closing = closing;
      this.fd = fd;
      this.how = how;
    }

    @Override
    public void run() {
      Kernel kernel = kernels.get();
      // Whoever started the program may have had it blocked.
      kernel.unblockSignal(Linux.SIGURG);
      int thread = kernel.gettid();
      if (thread > 0) {
        closing.add(thread);
      }
      try {
        close(kernel);
      } finally {
        closing.remove(thread);
      }
    }

    private void close(Kernel kernel) {
      // Not a switch, which would be a class more to load.
      if (how == How.AS_IT_IS) {
        kernel.close(fd);
      } else {
        new Emptying(kernel).close(fd, kernel::close);
      }
    }
  }
}
