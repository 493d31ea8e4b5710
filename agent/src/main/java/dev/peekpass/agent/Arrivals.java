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
import java.util.function.BiConsumer;
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
  private final Condition change = lock.newCondition();
  private final Queue<Place> queue = new ArrayDeque<>();
  private final Kernel kernel;
  private final int capacity;
  private final Fd readiness;
  private boolean closed;

  /** A connection in the queue, and what has become of it; guarded by the lock. */
  static final class Place {
    private final HandedOff connection;
    private boolean waiting = true;
    private boolean taken;

    private Place(HandedOff connection) {
      this.connection = connection;
    }
  }

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
        change.awaitUninterruptibly();
      }
      return !closed;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Adds a connection.
   *
   * @return null when closed: the connection is still the caller's
   */
  @Nullable Place add(HandedOff connection) {
    lock.lock();
    try {
      if (closed) {
        return null;
      }
      Place place = new Place(connection);
      queue.add(place);
      kernel.eventfdWrite(readiness, 1);
      return place;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until a connection has been taken.
   *
   * @return false when the queue was closed instead, and the connection with it
   */
  boolean awaitTaken(Place place) {
    lock.lock();
    try {
      while (place.waiting) {
        change.awaitUninterruptibly();
      }
      return place.taken;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the first connection.
   *
   * @param prepare is given it, and a kernel for the time of the call. Not earlier: what is not
   *     taken may go to another process, and must be as it came
   * @return the caller's to close; null when there is none
   */
  @Nullable HandedOff poll(BiConsumer<Kernel, HandedOff> prepare) {
    lock.lock();
    try {
      Place place = queue.poll();
      if (place == null) {
        return null;
      }
      // Cannot block, even where the server has made the descriptor blocking: it counts this one.
      kernel.eventfdRead(readiness);
      prepare.accept(kernel, place.connection);
      leave(place, true);
      return place.connection;
    } finally {
      lock.unlock();
    }
  }

  private void leave(Place place, boolean taken) {
    place.waiting = false;
    place.taken = taken;
    change.signalAll();
  }

  /** Closes what nobody has taken, as closing a listening socket does, and the descriptor. */
  void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      for (Place place = queue.poll(); place != null; place = queue.poll()) {
        place.connection.discard(kernel);
        leave(place, false);
      }
      closed = true;
      change.signalAll();
      kernel.close(readiness);
    } finally {
      lock.unlock();
    }
  }
}
