package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;

/** Calls of the process under test, with the errors that may hit them at any time. */
public enum Call {
  /** memfd_create(2). */
  MEMFD(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** ftruncate(2). */
  TRUNCATE(Errno.EINTR),
  /** fcntl(2). */
  FCNTL(),
  /** mmap(2). */
  MMAP(Errno.ENOMEM),
  /** munmap(2). */
  MUNMAP(),
  /** getsockopt(2) with TCP_INFO of a connection, and ioctl(2) with SIOCINQ. */
  COUNTS(),
  /** socket(2). */
  SOCKET(Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM),
  /** bind(2). */
  BIND(Errno.EADDRINUSE, Errno.ENOMEM),
  /** listen(2). */
  LISTEN(Errno.EADDRINUSE),
  /** setsockopt(2), getsockopt(2), getsockname(2) and getpeername(2). */
  OPTION(Errno.ENOBUFS, Errno.ENOMEM),
  /** accept4(2). */
  ACCEPT(
      Errno.EINTR,
      Errno.ECONNABORTED,
      Errno.EMFILE,
      Errno.ENFILE,
      Errno.ENOBUFS,
      Errno.ENOMEM,
      Errno.EPROTO),
  /** getsockopt(2) with TCP_INFO. */
  ACCEPT_QUEUE(),
  /** connect(2). */
  CONNECT(Errno.EINTR, Errno.EAGAIN, Errno.ENOMEM, Errno.EACCES),
  /** recv(2). */
  RECV(Errno.EINTR),
  /** send(2). */
  SEND(Errno.EINTR, Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM),
  /** sendmsg(2). */
  SENDMSG(Errno.EINTR, Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM, Errno.ETOOMANYREFS),
  /** shutdown(2). */
  SHUTDOWN(Errno.ENOBUFS),
  /** close(2): the descriptor is gone all the same. */
  CLOSE(Errno.EINTR, Errno.EIO),
  /** epoll_create1(2). */
  EPOLL_CREATE(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** epoll_ctl(2), EPOLL_CTL_ADD. */
  EPOLL_ADD(Errno.ENOMEM, Errno.ENOSPC),
  /** epoll_ctl(2), EPOLL_CTL_MOD. */
  EPOLL_MOD(Errno.ENOMEM),
  /** epoll_ctl(2), EPOLL_CTL_DEL. */
  EPOLL_DEL(),
  /** epoll_wait(2). */
  EPOLL_WAIT(Errno.EINTR),
  /** eventfd(2). */
  EVENTFD(Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM),
  /** eventfd_read(3). */
  EVENTFD_READ(Errno.EINTR);

  @SuppressWarnings("ImmutableEnumChecker") // never written to
  private final int[] errors;

  Call(int... errors) {
    this.errors = errors;
  }

  int[] errors() {
    return errors;
  }
}
