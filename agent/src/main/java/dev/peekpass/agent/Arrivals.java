package dev.peekpass.agent;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.HandedOff;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Connections that are ready to be accepted, and a descriptor that is readable exactly while there
 * are some.
 *
 * <p>The descriptor is an eventfd that counts (EFD_SEMAPHORE): its value is the length of the queue
 * whenever nobody holds the lock. Each connection adds one, so that edge-triggered epoll tells of
 * each, as it does on a listening socket; each that is taken removes one.
 */
final class Arrivals {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition room = lock.newCondition();
  private final Queue<HandedOff> queue = new ArrayDeque<>();
  private final Kernel kernel;
  private final int capacity;
  private final Fd readiness;
  private boolean closed;

  /**
   * Makes an empty queue.
   *
   * @param kernel used under this object's lock only
   * @param capacity how many may wait before {@link #awaitRoom} waits
   */
  Arrivals(Kernel kernel, int capacity) throws SystemCallException {
    this.kernel = kernel;
    this.capacity = capacity;
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK | Linux.EFD_SEMAPHORE);
    if (r < 0) {
      throw new SystemCallException(
          "eventfd for a listening socket",
          -r,
          r == -Errno.EMFILE ? "raise the limit of open descriptors (RLIMIT_NOFILE)" : "");
    }
    readiness = Fd.of(r);
  }

  /** Readable while a connection waits; this object's. */
  Fd readiness() {
    return readiness;
  }

  /**
   * Waits until the server has taken enough that there is room. Until then nothing is received, and
   * clients wait in the kernel's queues and with the proxy.
   *
   * @return false when closed
   */
  boolean awaitRoom() {
    lock.lock();
    try {
      while (!closed && queue.size() >= capacity) {
        room.awaitUninterruptibly();
      }
      return !closed;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Adds a connection.
   *
   * @return false when closed: the connection is still the caller's
   */
  boolean add(HandedOff connection) {
    lock.lock();
    try {
      if (closed) {
        return false;
      }
      queue.add(connection);
      kernel.eventfdWrite(readiness, 1);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the first connection.
   *
   * @return the caller's to close; null when there is none
   */
  @Nullable HandedOff poll() {
    lock.lock();
    try {
      HandedOff connection = queue.poll();
      if (connection != null) {
        // Cannot block, even where the server has made the descriptor blocking: it counts this one.
        kernel.eventfdRead(readiness);
        room.signal();
      }
      return connection;
    } finally {
      lock.unlock();
    }
  }

  /** Closes what nobody has taken, as closing a listening socket does, and the descriptor. */
  void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      for (HandedOff left = poll(); left != null; left = poll()) {
        kernel.close(left.fd());
      }
      closed = true;
      room.signalAll();
      kernel.close(readiness);
    } finally {
      lock.unlock();
    }
  }
}
