package dev.peekpass.proxy.confine;

import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Which system calls a proxy makes that serves: its own, those of the JVM around it (compiler,
 * collector, signals, new threads, its end), and those of the C library for both. Found by reading
 * them and by running everything with {@code confinement: audit}.
 */
final class CallRules {
  /** Those on a connection's way and in a loop's turn, and what threads wait with. */
  static final List<String> HOT =
      List.of(
          "epoll_wait",
          "epoll_pwait",
          "accept4",
          "recvfrom",
          "close",
          "getsockopt",
          "epoll_ctl",
          "futex",
          "recvmsg",
          "write");

  /** Allowed whatever their arguments. */
  static final List<String> ALLOWED =
      List.of(
          // Sockets, files and events
          "read",
          "open",
          "openat",
          "stat",
          "fstat",
          "lstat",
          "newfstatat",
          "statx",
          "statfs",
          "fstatfs",
          "poll",
          "ppoll",
          "select",
          "pselect6",
          "epoll_create1",
          "epoll_pwait2",
          "eventfd2",
          "lseek",
          "pread64",
          "pwrite64",
          "readv",
          "writev",
          "access",
          "faccessat",
          "faccessat2",
          "pipe",
          "pipe2",
          "dup",
          "dup2",
          "dup3",
          "fsync",
          "fdatasync",
          "fadvise64",
          "ftruncate",
          "fallocate",
          "getdents64",
          "getcwd",
          "readlink",
          "readlinkat",
          "close_range",
          "memfd_create",
          "connect",
          "accept",
          "shutdown",
          "bind",
          "listen",
          "getsockname",
          "getpeername",
          // The admin socket's file; Landlock says where
          "rename",
          "renameat",
          "renameat2",
          "link",
          "linkat",
          "unlink",
          "unlinkat",
          "mkdir",
          "mkdirat",
          // Memory
          "mmap",
          "mprotect",
          "munmap",
          "mremap",
          "msync",
          "mincore",
          "madvise",
          "brk",
          "membarrier",
          // Threads, signals, time
          "exit",
          "exit_group",
          "rt_sigaction",
          "rt_sigprocmask",
          "rt_sigreturn",
          "rt_sigpending",
          "rt_sigtimedwait",
          "rt_sigsuspend",
          "sigaltstack",
          "restart_syscall",
          "set_tid_address",
          "set_robust_list",
          "get_robust_list",
          "rseq",
          "arch_prctl",
          "sched_yield",
          "sched_getaffinity",
          "sched_getparam",
          "sched_getscheduler",
          "sched_get_priority_max",
          "sched_get_priority_min",
          "getpriority",
          "getcpu",
          "nanosleep",
          "clock_nanosleep",
          "clock_gettime",
          "clock_getres",
          "gettimeofday",
          "time",
          "times",
          // Questions about itself and the machine
          "getpid",
          "getppid",
          "gettid",
          "getuid",
          "geteuid",
          "getgid",
          "getegid",
          "getrlimit",
          "getrusage",
          "sysinfo",
          "uname",
          "getrandom");

  /** AF_INET and AF_INET6. */
  static final List<Integer> INTERNET = List.of(2, 10);

  /**
   * What may be set of a socket, by level. SOL_SOCKET: SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF,
   * SO_KEEPALIVE, SO_LINGER, SO_REUSEPORT, SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO, SO_ATTACH_FILTER,
   * SO_DETACH_FILTER, SO_PEEK_OFF, SO_PASSRIGHTS. IPPROTO_TCP: TCP_NODELAY, TCP_KEEPIDLE,
   * TCP_KEEPINTVL, TCP_KEEPCNT, TCP_DEFER_ACCEPT. IPPROTO_IPV6: IPV6_V6ONLY.
   */
  static final SortedMap<Integer, List<Integer>> OPTIONS =
      new TreeMap<>(
          Map.of(
              1,
              List.of(2, 7, 8, 9, 13, 15, 16, 20, 21, 26, 27, 42, 83),
              6,
              List.of(1, 4, 5, 6, 9),
              41,
              List.of(26)));

  /**
   * F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC,
   * F_ADD_SEALS, F_GET_SEALS. Not F_SETOWN and F_SETSIG, which send signals to others.
   */
  static final List<Integer> FCNTLS = List.of(0, 1, 2, 3, 4, 5, 6, 7, 1030, 1033, 1034);

  /** What a file's mode may be set to: the admin socket's. Landlock does not look at it. */
  static final List<Integer> MODES = List.of(0600);

  /** FIONREAD, which is SIOCINQ; SIOCOUTQ; TCGETS; FIONBIO. */
  static final List<Integer> IOCTLS = List.of(0x541B, 0x5411, 0x5401, 0x5421);

  /**
   * PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_SET_TIMERSLACK,
   * PR_GET_NO_NEW_PRIVS, PR_SET_VMA.
   */
  static final List<Integer> PRCTLS = List.of(3, 15, 16, 21, 23, 29, 39, 0x53564D41);

  private CallRules() {}
}
