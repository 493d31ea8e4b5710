package dev.peekpass.linux;

import org.jspecify.annotations.Nullable;

/**
 * The system calls that Peekpass makes, one method each, named and behaving as the man page says.
 *
 * <p><b>Results.</b> 0 or more on success, {@code -errno} on failure ({@link Errno}); nothing
 * throws for what the kernel answers. A new descriptor comes back as its number: wrap it with
 * {@link Fd#of} at once.
 *
 * <p><b>Ownership.</b> Whoever gets a new descriptor owns it and closes it. No method takes a
 * descriptor over; {@link #close} ends it.
 *
 * <p><b>Threads.</b> An instance has its own errno and scratch memory and belongs to one thread at
 * a time. Descriptors are the process's.
 *
 * <p>There is one implementation, {@link LinuxKernel}; a simulation can take its place without its
 * users knowing.
 */
public interface Kernel {

  /** socket(2). */
  int socket(int domain, int type, int protocol);

  /** bind(2). */
  int bind(Fd socket, SockAddr address);

  /** listen(2). */
  int listen(Fd socket, int backlog);

  /**
   * accept4(2).
   *
   * @param peer filled in with the peer's address unless null
   * @param flags SOCK_NONBLOCK, SOCK_CLOEXEC
   * @return a new descriptor
   */
  int accept4(Fd listener, @Nullable SockAddr peer, int flags);

  /** connect(2). */
  int connect(Fd socket, SockAddr address);

  /** getsockname(2). */
  int getsockname(Fd socket, SockAddr address);

  /** getpeername(2). */
  int getpeername(Fd socket, SockAddr address);

  /** setsockopt(2) for an option whose value is an int. */
  int setsockopt(Fd socket, int level, int option, int value);

  /**
   * setsockopt(2) with SO_LINGER, socket(7): whether the close(2) that ends the socket waits for
   * what was not sent yet, on a non-blocking socket as well.
   *
   * @param seconds how long at most; means nothing when off
   */
  int setLinger(Fd socket, boolean on, int seconds);

  /** setsockopt(2) with SO_ATTACH_FILTER, socket(7); SO_DETACH_FILTER with any int ends it. */
  int attachFilter(Fd socket, SocketFilter filter);

  /**
   * getsockopt(2) for an option whose value is an int that is never negative; returns the value.
   */
  int getsockopt(Fd socket, int level, int option);

  /**
   * getsockopt(2) with SO_LINGER, socket(7).
   *
   * @return 1 or more if it lingers, 0 if not, or -1 without a reason
   */
  int getLinger(Fd socket);

  /**
   * getsockopt(2) with TCP_INFO on a listener: fills {@link TcpInfo#unacked()} only.
   *
   * @return 0, or -1 without a reason
   */
  int acceptQueue(Fd listener, TcpInfo info);

  /** getsockopt(2) with TCP_INFO on a connection. */
  int tcpInfo(Fd connection, TcpInfo info);

  /**
   * getsockopt(2) with SO_PEERCRED.
   *
   * @param credentials its first element is set on success
   */
  int peerCredentials(Fd socket, @Nullable PeerCredentials[] credentials);

  /**
   * getsockopt(2) with SO_PEERCRED, of which only the user is wanted.
   *
   * @return the uid, or a negative number where there is none: on a datagram socket
   */
  int peerUid(Fd socket);

  /**
   * recv(2) into {@code buffer}.
   *
   * @param offset where in the buffer, in bytes
   * @param length how many bytes at most
   * @return how many bytes came; 0 is the end of the stream
   */
  int recv(Fd socket, NativeBuffer buffer, int offset, int length, int flags);

  /** send(2) from {@code buffer}; returns how many bytes were taken. */
  int send(Fd socket, NativeBuffer buffer, int offset, int length, int flags);

  /**
   * write(2) from {@code buffer}; returns how many bytes were taken. Where there is no room it
   * waits, unless the descriptor is non-blocking.
   */
  int write(Fd descriptor, NativeBuffer buffer, int offset, int length);

  /** sendmsg(2); the caller goes on owning the descriptors in the message. */
  int sendmsg(Fd socket, Message message, int flags);

  /**
   * recvmsg(2). On success the caller owns the descriptors in the message, whatever else it thinks
   * of it.
   *
   * @return how many bytes came
   */
  int recvmsg(Fd socket, Message message, int flags);

  /** shutdown(2). */
  int shutdown(Fd socket, int how);

  /** close(2). The descriptor is gone whatever the result, EINTR included. */
  int close(Fd descriptor);

  /**
   * close_range(2): closes all descriptors from one to another, both included. If it fails none is
   * closed: the kernel does not know it (before 5.9), nor glibc (before 2.34), or a filter refuses
   * it, seccomp(2), with whatever error.
   *
   * <p>Every number between them must be the caller's: another thread may have been given one.
   */
  int closeRange(Fd first, Fd last);

  /**
   * dup3(2): makes {@code to} stand for what {@code from} stands for; what it stood for before is
   * closed. Both are the caller's afterwards.
   *
   * @param flags O_CLOEXEC
   */
  int dup3(Fd from, Fd to, int flags);

  /** epoll_create1(2); returns a new descriptor. */
  int epollCreate1(int flags);

  /**
   * epoll_ctl(2).
   *
   * @param operation EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL
   * @param events EPOLL… bits; ignored by EPOLL_CTL_DEL
   * @param data comes back with each event; ignored by EPOLL_CTL_DEL
   */
  int epollCtl(Fd epoll, int operation, Fd descriptor, int events, long data);

  /**
   * epoll_wait(2).
   *
   * @param timeoutMillis 0 looks and returns, -1 waits for ever
   * @return how many entries of {@code events} are set
   */
  int epollWait(Fd epoll, EpollEvents events, int timeoutMillis);

  /**
   * poll(2) of one descriptor.
   *
   * @param events POLL… bits
   * @param timeoutMillis 0 looks and returns, -1 waits for ever
   * @return the bits that hold, POLLERR and POLLHUP too; 0 when the time is up
   */
  int poll(Fd descriptor, int events, int timeoutMillis);

  /**
   * renameat2(2), of paths as rename(2) takes them; -ENOSYS where the C library has none (glibc
   * before 2.28), -EINVAL where the file system does not know a flag.
   *
   * @param flags RENAME_…
   */
  int renameat2(String from, String to, int flags);

  /** eventfd(2); returns a new descriptor. */
  int eventfd(int initialValue, int flags);

  /** eventfd_read(3); the value read is dropped. */
  int eventfdRead(Fd eventfd);

  /** eventfd_write(3). */
  int eventfdWrite(Fd eventfd, long value);

  /** fcntl(2) with an int argument or none. */
  int fcntl(Fd descriptor, int command, int argument);

  /** ioctl(2) with SIOCINQ, tcp(7): how many bytes wait to be read. */
  int siocinq(Fd socket);

  /** ioctl(2) with SIOCOUTQ, unix(7): how much of what was sent the peer has not received. */
  int siocoutq(Fd socket);

  /**
   * memfd_create(2): memory without a name in any file system; returns a new descriptor.
   *
   * @param flags MFD_…
   */
  int memfdCreate(int flags);

  /** ftruncate(2). */
  int ftruncate(Fd file, int lengthBytes);

  /** lseek(2); returns the offset, capped at {@link Integer#MAX_VALUE}. */
  int lseek(Fd file, int offset, int whence);

  /**
   * mmap(2), shared, for reading and writing, from the file's beginning. The descriptor may be
   * closed afterwards.
   *
   * @param words mapped on success; not mapped yet. The file must be large enough for it and sealed
   *     against shrinking, or using it may end the process (SIGBUS)
   */
  int mmap(Fd file, SharedWords words);

  /** munmap(2). Afterwards the words may not be used. */
  int munmap(SharedWords words);

  /**
   * getrlimit(2): the soft limit.
   *
   * @param resource RLIMIT_…
   * @return the limit, capped at {@link Integer#MAX_VALUE}
   */
  int getrlimit(int resource);

  /** geteuid(2); a number from 2147483648 on is negative. */
  int geteuid();

  /** gettid(2): the calling thread, as the kernel knows it; or -ENOSYS (glibc before 2.30). */
  int gettid();

  /** getpid(2). */
  int getpid();

  /** tgkill(2): sends a signal to a thread of a process; -ENOSYS with glibc before 2.30. */
  int tgkill(int process, int thread, int signal);

  /**
   * signal(2): has a signal do nothing but interrupt the call in which it meets a thread. One that
   * is ignored does not even do that.
   *
   * @return 0, or -errno
   */
  int catchSignal(int signal);

  /**
   * sigprocmask(2) with SIG_UNBLOCK, of the calling thread: a signal that whoever started the
   * program, or the thread, had blocked meets it from now on.
   */
  int unblockSignal(int signal);

  /** clock_gettime(2) with CLOCK_MONOTONIC, in nanoseconds; only differences mean anything. */
  long nanoTime();
}
