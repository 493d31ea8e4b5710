package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.turn.Turn;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * What other threads want of a loop: tasks, and that it stops; and the eventfd that wakes it for
 * them. {@link #submit} and {@link #stop} may be called by any thread, at any time; the rest by the
 * loop's thread alone.
 *
 * <p>Every task gets an answer, whatever ends the loop: one that comes too late gets it at once.
 */
final class Inbox {
  /** What is wanted; the future tells whether it was done. */
  private record Task(Runnable action, CompletableFuture<Boolean> done) {}

  private final Kernel kernel;
  private final Turn turn;
  private final Fd wakeUp;
  private final int slot;
  private final Queue<Task> tasks = new ConcurrentLinkedQueue<>();

  /** Guards {@link #wakeUp} against being written to once it is closed. */
  private final Object wakeUpLock = new Object();

  private boolean wakeUpClosed;
  private volatile boolean stopRequested;
  private volatile boolean closed;

  /**
   * Opens the eventfd and has a loop's epoll watch it.
   *
   * @param turn the loop's
   * @throws SystemCallException with nothing of this left open
   */
  Inbox(Turn turn) throws SystemCallException {
    this.turn = turn;
    kernel = turn.kernel();
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    if (r < 0) {
      throw new SystemCallException("eventfd", -r, "raise the limit of open files");
    }
    wakeUp = Fd.of(r);
    int added = -1;
    try {
      added = turn.poller().add(wakeUp, Linux.EPOLLIN, events -> kernel.eventfdRead(wakeUp));
    } finally {
      if (added < 0) {
        kernel.close(wakeUp);
      }
    }
    slot = added;
    if (slot < 0) {
      throw new SystemCallException(
          "epoll_ctl ADD", -slot, "raise fs.epoll.max_user_watches, or free memory");
    }
  }

  /** Asks the loop to stop; tasks that it has not begun are not done any more. */
  void stop(Kernel callersKernel) {
    stopRequested = true;
    wake(callersKernel);
  }

  boolean isStopRequested() {
    return stopRequested;
  }

  /**
   * Has something done by the loop's thread, between two turns.
   *
   * @return true once it is done, false when the loop was told to stop before or has ended; fails
   *     with what the action threw
   */
  CompletableFuture<Boolean> submit(Kernel callersKernel, Runnable action) {
    Task task = new Task(action, new CompletableFuture<>());
    tasks.add(task);
    wake(callersKernel);
    if (closed && tasks.remove(task)) {
      task.done.complete(false);
    }
    return task.done;
  }

  private void wake(Kernel callersKernel) {
    synchronized (wakeUpLock) {
      if (!wakeUpClosed) {
        callersKernel.eventfdWrite(wakeUp, 1);
      }
    }
  }

  boolean isEmpty() {
    return tasks.isEmpty();
  }

  /** Does what is wanted. An Error is the asker's answer too, and then ends the loop. */
  void run() {
    for (Task task = tasks.poll(); task != null; task = tasks.poll()) {
      if (stopRequested) {
        // What it may be about is being closed.
        task.done.complete(false);
        continue;
      }
      try {
        task.action.run();
        task.done.complete(true);
      } catch (RuntimeException e) {
        turn.fault("a task failed", e);
        task.done.completeExceptionally(e);
      } catch (Error e) {
        task.done.completeExceptionally(e);
        throw e;
      }
    }
  }

  /** Takes no more, and answers what is left. */
  void close() {
    try {
      closeWakeUp();
    } finally {
      closed = true;
      for (Task task = tasks.poll(); task != null; task = tasks.poll()) {
        task.done.complete(false);
      }
    }
  }

  private void closeWakeUp() {
    synchronized (wakeUpLock) {
      if (!wakeUpClosed) {
        wakeUpClosed = true;
        try {
          turn.poller().remove(slot, wakeUp);
        } finally {
          kernel.close(wakeUp);
        }
      }
    }
  }
}
