package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;

/**
 * Calls of the process under test, with the errors that may hit them at any time, and where a fault
 * may be thrown out of them. What makes a descriptor throws before its effect only, since nobody
 * could close that descriptor, and what ends one after it.
 */
public enum Call {
  /** memfd_create(2). */
  MEMFD(Throws.BEFORE, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** ftruncate(2). */
  TRUNCATE(Throws.EITHER, Errno.EINTR),
  /** fcntl(2). */
  FCNTL(Throws.EITHER),
  /** mmap(2). */
  MMAP(Throws.BEFORE, Errno.ENOMEM),
  /** munmap(2). */
  MUNMAP(Throws.AFTER),
  /** getsockopt(2) with TCP_INFO of a connection, and ioctl(2) with SIOCINQ. */
  COUNTS(Throws.EITHER),
  /** socket(2). */
  SOCKET(Throws.BEFORE, Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM),
  /** bind(2). */
  BIND(Throws.EITHER, Errno.EADDRINUSE, Errno.ENOMEM),
  /** listen(2). */
  LISTEN(Throws.EITHER, Errno.EADDRINUSE),
  /** setsockopt(2), getsockopt(2), getsockname(2) and getpeername(2). */
  OPTION(Throws.EITHER, Errno.ENOBUFS, Errno.ENOMEM),
  /** accept4(2). */
  ACCEPT(
      Throws.BEFORE,
      Errno.EINTR,
      Errno.ECONNABORTED,
      Errno.EMFILE,
      Errno.ENFILE,
      Errno.ENOBUFS,
      Errno.ENOMEM,
      Errno.EPROTO,
      Errno.EPERM,
      Errno.EINVAL),
  /** getsockopt(2) with TCP_INFO. */
  ACCEPT_QUEUE(Throws.EITHER),
  /** connect(2). */
  CONNECT(Throws.EITHER, Errno.EINTR, Errno.EAGAIN, Errno.ENOMEM, Errno.EACCES),
  /** recv(2). */
  RECV(Throws.EITHER, Errno.EINTR),
  /** send(2). */
  SEND(Throws.EITHER, Errno.EINTR, Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM),
  /** sendmsg(2). */
  SENDMSG(
      Throws.EITHER, Errno.EINTR, Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM, Errno.ETOOMANYREFS),
  /** shutdown(2). */
  SHUTDOWN(Throws.EITHER, Errno.ENOBUFS),
  /** close(2): the descriptor is gone all the same. */
  CLOSE(Throws.AFTER, Errno.EINTR, Errno.EIO),
  /** epoll_create1(2). */
  EPOLL_CREATE(Throws.NEVER, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** epoll_ctl(2), EPOLL_CTL_ADD. */
  EPOLL_ADD(Throws.EITHER, Errno.ENOMEM, Errno.ENOSPC),
  /** epoll_ctl(2), EPOLL_CTL_MOD. */
  EPOLL_MOD(Throws.EITHER, Errno.ENOMEM),
  /** epoll_ctl(2), EPOLL_CTL_DEL. */
  EPOLL_DEL(Throws.EITHER),
  /** epoll_wait(2). */
  EPOLL_WAIT(Throws.BEFORE, Errno.EINTR),
  /** eventfd(2). */
  EVENTFD(Throws.NEVER, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** eventfd_read(3). */
  EVENTFD_READ(Throws.EITHER, Errno.EINTR);

  /**
   * Whether it takes a TCP socket's lock, for which it waits however non-blocking it is; fcntl(2)
   * does so when O_ASYNC was set. close(2) of the last descriptor does as well, but whoever is in a
   * call of its own has another.
   */
  boolean locks() {
    return switch (this) {
      case FCNTL, COUNTS, RECV, SEND, SHUTDOWN -> true;
      default -> false;
    };
  }

  @SuppressWarnings("ImmutableEnumChecker") // never written to
  private final int[] errors;

  private final Throws throwing;

  Call(Throws throwing, int... errors) {
    this.throwing = throwing;
    this.errors = errors;
  }

  /** Whether a fault may be thrown out of it before its effect, or after it. */
  public boolean mayThrow(boolean after) {
    return throwing == Throws.EITHER || throwing == (after ? Throws.AFTER : Throws.BEFORE);
  }

  int[] errors() {
    return errors;
  }

  /** Where a fault may be thrown. */
  private enum Throws {
    NEVER,
    BEFORE,
    AFTER,
    EITHER
  }
}
