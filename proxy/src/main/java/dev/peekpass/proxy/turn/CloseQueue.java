package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Descriptors that wait for another thread to close them.
 *
 * <pre>{@code
 * loop:    close ──> collected ──end of the turn──┐
 *                                               v
 * closer:                                   waiting ──> closing ──close(2)──> gone
 * }</pre>
 *
 * <p>A descriptor belongs to this object from {@link #close} on. The loop never waits for the
 * closer.
 */
public final class CloseQueue implements DescriptorCloser {
  /** A place that is always large enough for what an ordinary turn brings. */
  private static final int FEW = 64;

  /** How many may wait before receivers get no new connections for that. */
  private static final int MANY = 1024;

  private static final Comparator<@Nullable Fd> BY_NUMBER =
      (one, other) -> Integer.compare(number(one), number(other));

  /** A list of descriptors that grows. */
  private static final class Descriptors {
    @Nullable Fd[] all = new @Nullable Fd[FEW];
    int count;

    void add(@Nullable Fd fd) {
      if (count == all.length) {
        all = Arrays.copyOf(all, 2 * count);
      }
      all[count++] = fd;
    }

    void addAll(Descriptors others) {
      for (int i = 0; i < others.count; i++) {
        add(others.all[i]);
      }
    }

    void clear() {
      Arrays.fill(all, 0, count, null);
      count = 0;
    }
  }

  private final Turn turn;
  private final ClosingThread thread;

  /** Of the loop's thread. */
  private final Descriptors collected = new Descriptors();

  private boolean listed;

  private final ReentrantLock lock = new ReentrantLock();

  /** Guarded by the lock. */
  private Descriptors waiting = new Descriptors();

  /** Of the thread that closes. */
  private Descriptors closing = new Descriptors();

  private final AtomicInteger open = new AtomicInteger();

  /** Makes an empty one; the thread that closes is started when there is something to close. */
  CloseQueue(Turn turn, Supplier<? extends Kernel> kernels, StallWatch watch) {
    this.turn = turn;
    thread = new ClosingThread(this, kernels, watch);
  }

  /**
   * Makes queues whose threads are started when there is something to close.
   *
   * @param watch interrupts what lingers
   */
  public static Factory threads(Supplier<? extends Kernel> kernels, StallWatch watch) {
    return turn -> new CloseQueue(turn, kernels, watch);
  }

  @Override
  public void close(Fd descriptor) {
    collected.add(descriptor);
    open.getAndIncrement();
    if (!listed) {
      listed = true;
      turn.handOverLater(this);
    }
  }

  @Override
  public boolean isFull() {
    return open.get() >= MANY;
  }

  /**
   * Gives what was collected to the thread that closes. Called by the loop's thread.
   *
   * @return false when that was not possible just now: to be tried again
   */
  boolean handOver() {
    // The closer has it for a few instructions at a time: it is not worth waiting.
    if (!lock.tryLock()) {
      return false;
    }
    try {
      waiting.addAll(collected);
    } finally {
      lock.unlock();
    }
    collected.clear();
    if (!thread.wake()) {
      return false;
    }
    listed = false;
    return true;
  }

  /** Whether there is nothing for the thread that closes. Called by that thread. */
  boolean isEmpty() {
    lock.lock();
    try {
      return waiting.count == 0;
    } finally {
      lock.unlock();
    }
  }

  /** Closes all that there is. Called by the thread that closes, or in its place. */
  void closeAll(Kernel kernel, Pulse pulse) {
    while (take()) {
      int count = closing.count;
      try {
        closeTaken(kernel, pulse);
      } finally {
        // Whatever was thrown: a number that was closed may be another's by now.
        closing.clear();
        open.getAndAdd(-count);
        pulse.rest();
      }
    }
  }

  private void closeTaken(Kernel kernel, Pulse pulse) {
    Arrays.sort(closing.all, 0, closing.count, BY_NUMBER);
    int from = 0;
    while (from < closing.count) {
      int to = from;
      while (to + 1 < closing.count && number(closing.all[to + 1]) == number(closing.all[to]) + 1) {
        to++;
      }
      pulse.beat();
      close(kernel, from, to);
      from = to + 1;
    }
  }

  private boolean take() {
    lock.lock();
    try {
      Descriptors taken = waiting;
      waiting = closing;
      closing = taken;
      return closing.count > 0;
    } finally {
      lock.unlock();
    }
  }

  /** Closes neighbours, all of which are ours, by one call where the kernel can. */
  private void close(Kernel kernel, int from, int to) {
    Fd first = descriptor(from);
    // A filter of system calls may refuse it: then each is closed by itself.
    if (to > from && kernel.closeRange(first, descriptor(to)) >= 0) {
      return;
    }
    for (int i = from; i <= to; i++) {
      kernel.close(descriptor(i));
    }
  }

  private Fd descriptor(int index) {
    Fd fd = closing.all[index];
    if (fd == null) {
      throw new IndexOutOfBoundsException(index);
    }
    return fd;
  }

  private static int number(@Nullable Fd fd) {
    return fd == null ? Integer.MAX_VALUE : fd.number();
  }
}
