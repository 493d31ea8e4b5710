package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Kernel;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A thread that closes what stands in one {@link CloseQueue}, while there is something to close.
 *
 * <pre>{@code
 * none ──wake──> closing ──queue empty──> parked ──wake──> closing
 *   ^                                       │ nothing for 10 s
 *   └───────────────────────────────────────┘
 * }</pre>
 *
 * <p>It is a daemon: what it waits for, others shape, and at the end of the process the kernel
 * closes without waiting.
 */
final class ClosingThread {
  private static final long PARK_NANOS = 10_000_000_000L;

  private enum State {
    NONE,
    CLOSING,
    PARKED
  }

  private final CloseQueue queue;
  private final Supplier<? extends Kernel> kernels;
  private final StallWatch watch;
  private final AtomicReference<State> state = new AtomicReference<>(State.NONE);
  private volatile @Nullable Thread thread;

  /** Makes one that is not running. */
  ClosingThread(CloseQueue queue, Supplier<? extends Kernel> kernels, StallWatch watch) {
    this.queue = queue;
    this.kernels = kernels;
    this.watch = watch;
  }

  /**
   * Something has come into the queue. Does not wait.
   *
   * @return false when there can be no thread for it now
   */
  boolean wake() {
    if (state.get() == State.PARKED && state.compareAndSet(State.PARKED, State.CLOSING)) {
      LockSupport.unpark(thread);
      return true;
    }
    return !state.compareAndSet(State.NONE, State.CLOSING) || start();
  }

  private boolean start() {
    boolean started = false;
    try {
      thread = Thread.ofPlatform().daemon().name("closer").start(this::run);
      started = true;
    } catch (OutOfMemoryError e) {
      // No thread is to be had just now: the loop asks again.
    } finally {
      if (!started) {
        state.set(State.NONE);
      }
    }
    return started;
  }

  private void run() {
    boolean ended = false;
    Pulse pulse = new Pulse();
    try {
      Kernel kernel = kernels.get();
      pulse.belongToCaller(kernel);
      watch.watchCloser(pulse);
      do {
        queue.closeAll(kernel, pulse);
      } while (!mayEnd());
      ended = true;
    } finally {
      pulse.end();
      if (!ended) {
        // A fault: the next one to wake it has another thread.
        state.set(State.NONE);
      }
    }
  }

  /** Waits for more; returns whether there was none for so long that the thread shall end. */
  private boolean mayEnd() {
    state.set(State.PARKED);
    if (!queue.isEmpty()) {
      state.set(State.CLOSING);
      return false;
    }
    long until = System.nanoTime() + PARK_NANOS;
    for (long left = PARK_NANOS;
        left > 0 && state.get() == State.PARKED;
        left = until - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
    return state.compareAndSet(State.PARKED, State.NONE);
  }
}
