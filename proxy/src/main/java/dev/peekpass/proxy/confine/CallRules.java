package dev.peekpass.proxy.confine;

import java.util.List;

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
          "sendmsg",
          "close",
          "getsockopt",
          "epoll_ctl",
          "futex",
          "recvmsg",
          "sendto",
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
          "fcntl",
          "fsync",
          "fdatasync",
          "fadvise64",
          "ftruncate",
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
          "setsockopt",
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
          "chmod",
          "fchmod",
          "fchmodat",
          "fchmodat2",
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

  /**
   * Refused, and told to this process, which logs them. Nothing in a JVM makes them on a thread of
   * its own: a thread that waits for the answer while the others wait for it would stop the world
   * for ever. Therefore the family of setuid is not here: the C library has every thread make
   * those, the JVM's own too.
   */
  static final List<String> TOLD =
      List.of(
          "execve",
          "execveat",
          "fork",
          "vfork",
          "ptrace",
          "process_vm_readv",
          "process_vm_writev",
          "mount",
          "umount2",
          "pivot_root",
          "chroot",
          "unshare",
          "setns",
          "bpf",
          "perf_event_open",
          "io_uring_setup",
          "io_uring_enter",
          "io_uring_register",
          "userfaultfd",
          "open_by_handle_at",
          "keyctl",
          "add_key",
          "request_key",
          "init_module",
          "finit_module",
          "delete_module",
          "kexec_load",
          "reboot",
          "swapon",
          "personality",
          "capset",
          "mknod",
          "mknodat",
          "pidfd_getfd",
          "pidfd_send_signal");

  /** What a socket may be of: AF_UNIX, AF_INET, AF_INET6. */
  static final List<Integer> FAMILIES = List.of(1, 2, 10);

  /** FIONREAD, which is SIOCINQ; SIOCOUTQ; TCGETS; FIONBIO; SECCOMP_IOCTL_NOTIF_… */
  static final List<Integer> IOCTLS =
      List.of(0x541B, 0x5411, 0x5401, 0x5421, 0xC0502100, 0xC0182101);

  /**
   * PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_SET_TIMERSLACK,
   * PR_GET_NO_NEW_PRIVS, PR_SET_VMA.
   */
  static final List<Integer> PRCTLS = List.of(3, 15, 16, 21, 23, 29, 39, 0x53564D41);

  private CallRules() {}
}
