package dev.peekpass.receiver;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import org.jspecify.annotations.Nullable;

/**
 * What a receiver waits for: its hand-off socket, its UNIX connections, and to be woken. Owns the
 * two epoll descriptors and none of those that it watches.
 *
 * <pre>{@code
 * epoll      { wake, hand-off socket, UNIX connections }   await()
 * wakeEpoll  { wake }                                      pause(): a wait that nothing else ends
 * }</pre>
 */
final class Watch {
  private final Kernel kernel;
  private final Fd epoll;
  private final Fd wakeEpoll;

  // One event a call: none can be about a descriptor that an earlier one closed, and level-
  // triggered epoll reports those that are ready in turn, which is fair.
  private final EpollEvents events = new EpollEvents(1);

  /**
   * Starts watching.
   *
   * @param socket goes on being the caller's
   * @param wake an eventfd that ends a wait; goes on being the caller's
   * @throws SystemCallException when it cannot watch; nothing is left open
   */
  Watch(Kernel kernel, Fd socket, Fd wake) throws SystemCallException {
    this.kernel = kernel;
    epoll = open();
    try {
      wakeEpoll = open();
    } catch (SystemCallException | RuntimeException | Error e) {
      kernel.close(epoll);
      throw e;
    }
    try {
      check("epoll_ctl", add(epoll, wake));
      check("epoll_ctl", add(wakeEpoll, wake));
      check("epoll_ctl", add(epoll, socket));
    } catch (SystemCallException | RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private Fd open() throws SystemCallException {
    int r = kernel.epollCreate1(Linux.EPOLL_CLOEXEC);
    check("epoll_create1", r);
    return Fd.of(r);
  }

  private static void check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(
          call + " for a receiver",
          -r,
          r == -Errno.EMFILE ? "raise the limit of open descriptors (RLIMIT_NOFILE)" : "");
    }
  }

  private int add(Fd in, Fd fd) {
    return kernel.epollCtl(in, Linux.EPOLL_CTL_ADD, fd, Linux.EPOLLIN, fd.number());
  }

  /** Watches one more; returns 0 or -errno. */
  int add(Fd fd) {
    return add(epoll, fd);
  }

  /** Watches it no longer, if it did. */
  void remove(Fd fd) {
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Says what to watch a UNIX connection for.
   *
   * @param room whether for room to send as well
   */
  void watchFor(Fd connection, boolean room) {
    int interest = room ? Linux.EPOLLIN | Linux.EPOLLOUT : Linux.EPOLLIN;
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_MOD, connection, interest, connection.number());
  }

  /**
   * Waits until one of them is ready.
   *
   * @param timeoutMillis as of epoll_wait
   * @return null when none is
   */
  @Nullable Fd await(int timeoutMillis) {
    int n = kernel.epollWait(epoll, events, timeoutMillis);
    if (n < 0 && n != -Errno.EINTR) {
      throw new IllegalStateException("epoll_wait: " + Errno.name(-n));
    }
    return n == 1 ? Fd.of((int) events.data(0)) : null;
  }

  /** Whether the one that {@link #await} gave has room and nothing else. */
  boolean hasRoomOnly() {
    return events.events(0) == Linux.EPOLLOUT;
  }

  /** Waits for the time given, or to be woken. */
  void pause(int millis) {
    kernel.epollWait(wakeEpoll, events, millis);
  }

  /** Readable when {@link #await} would give something; this object's. */
  Fd pollable() {
    return epoll;
  }

  /** Ends watching. */
  void close() {
    kernel.close(epoll);
    kernel.close(wakeEpoll);
  }
}
