package dev.peekpass.linux;

/**
 * Constants of the kernel's interface, under their own names. All have the same value on x86-64 and
 * aarch64.
 */
public final class Linux {
  // socket(2)
  public static final int AF_UNIX = 1;
  public static final int AF_INET = 2;
  public static final int AF_INET6 = 10;
  public static final int SOCK_STREAM = 1;
  public static final int SOCK_DGRAM = 2;
  public static final int SOCK_SEQPACKET = 5;
  public static final int SOCK_NONBLOCK = 0x800;
  public static final int SOCK_CLOEXEC = 0x80000;

  // socket(7)
  public static final int SOL_SOCKET = 1;
  public static final int SO_REUSEADDR = 2;
  public static final int SO_TYPE = 3;
  public static final int SO_ERROR = 4;
  public static final int SO_SNDBUF = 7;
  public static final int SO_RCVBUF = 8;
  public static final int SO_KEEPALIVE = 9;
  public static final int SO_LINGER = 13;
  public static final int SO_REUSEPORT = 15;
  public static final int SO_PASSCRED = 16;
  public static final int SO_PEERCRED = 17;
  public static final int SO_ATTACH_FILTER = 26;
  public static final int SO_DETACH_FILTER = 27;
  public static final int SO_ACCEPTCONN = 30;

  /** Read as one integer: bytes of memory that the receive queue takes (linux/sock_diag.h). */
  public static final int SO_MEMINFO = 55;

  public static final int SO_PROTOCOL = 38;
  public static final int SO_DOMAIN = 39;
  public static final int SO_PEEK_OFF = 42;

  /** Whether the peer may send descriptors; since Linux 6.16 (unix(7)). */
  public static final int SO_PASSRIGHTS = 83;

  /** Linux 6.5; the value is a new descriptor of the peer's process (pidfd_open(2)). */
  public static final int SO_PEERPIDFD = 77;

  // tcp(7), ipv6(7)
  public static final int IPPROTO_TCP = 6;
  public static final int IPPROTO_IPV6 = 41;
  public static final int TCP_NODELAY = 1;
  public static final int TCP_KEEPIDLE = 4;
  public static final int TCP_KEEPINTVL = 5;
  public static final int TCP_KEEPCNT = 6;
  public static final int TCP_DEFER_ACCEPT = 9;
  public static final int TCP_INFO = 11;
  public static final int IPV6_V6ONLY = 26;

  // send(2), recv(2), unix(7)
  public static final int MSG_PEEK = 0x2;
  public static final int MSG_CTRUNC = 0x8;
  public static final int MSG_TRUNC = 0x20;
  public static final int MSG_DONTWAIT = 0x40;
  public static final int MSG_NOSIGNAL = 0x4000;
  public static final int MSG_CMSG_CLOEXEC = 0x40000000;
  public static final int SCM_RIGHTS = 1;
  public static final int SCM_CREDENTIALS = 2;

  /** The most descriptors that one message can carry (SCM_MAX_FD, unix(7)). */
  public static final int SCM_MAX_FD = 253;

  // signal(7)
  public static final int SIGURG = 23;

  // shutdown(2)
  public static final int SHUT_RD = 0;
  public static final int SHUT_WR = 1;
  public static final int SHUT_RDWR = 2;

  // epoll_ctl(2), epoll_create1(2)
  public static final int EPOLL_CLOEXEC = 0x80000;
  public static final int EPOLL_CTL_ADD = 1;
  public static final int EPOLL_CTL_DEL = 2;
  public static final int EPOLL_CTL_MOD = 3;
  public static final int EPOLLIN = 0x1;
  public static final int EPOLLOUT = 0x4;
  public static final int EPOLLERR = 0x8;
  public static final int EPOLLHUP = 0x10;
  public static final int EPOLLRDHUP = 0x2000;
  public static final int EPOLLEXCLUSIVE = 1 << 28;
  public static final int EPOLLET = 1 << 31;

  // poll(2)
  public static final int POLLIN = 0x1;
  public static final int POLLOUT = 0x4;

  // eventfd(2)
  public static final int EFD_CLOEXEC = 0x80000;
  public static final int EFD_NONBLOCK = 0x800;
  public static final int EFD_SEMAPHORE = 0x1;

  // fcntl(2)
  public static final int F_DUPFD_CLOEXEC = 1030;
  public static final int F_GETFD = 1;
  public static final int F_SETFD = 2;
  public static final int FD_CLOEXEC = 1;
  public static final int F_GETFL = 3;
  public static final int F_SETFL = 4;
  public static final int F_ADD_SEALS = 1033;
  public static final int F_GET_SEALS = 1034;
  public static final int F_SEAL_SEAL = 0x1;
  public static final int F_SEAL_SHRINK = 0x2;
  public static final int F_SEAL_GROW = 0x4;

  /** No longer written, by nobody. */
  public static final int F_SEAL_WRITE = 0x8;

  public static final int O_RDWR = 0x2;
  public static final int O_NONBLOCK = 0x800;
  public static final int O_CLOEXEC = 0x80000;

  // rename(2)
  public static final int RENAME_NOREPLACE = 0x1;
  public static final int RENAME_EXCHANGE = 0x2;

  // memfd_create(2)
  public static final int MFD_CLOEXEC = 0x1;
  public static final int MFD_ALLOW_SEALING = 0x2;

  /** Since Linux 6.3; unknown before (EINVAL). */
  public static final int MFD_NOEXEC_SEAL = 0x8;

  // lseek(2)
  public static final int SEEK_END = 2;

  // ioctl_tty(2), tcp(7), unix(7)
  public static final int SIOCINQ = 0x541B;
  public static final int SIOCOUTQ = 0x5411;

  // getrlimit(2)
  public static final int RLIMIT_NOFILE = 7;

  // tcp_states.h: values of tcpi_state
  public static final int TCP_ESTABLISHED = 1;
  public static final int TCP_CLOSE = 7;
  public static final int TCP_CLOSE_WAIT = 8;
  public static final int TCP_LISTEN = 10;

  private Linux() {}
}
