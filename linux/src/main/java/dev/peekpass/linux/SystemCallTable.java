package dev.peekpass.linux;

import java.util.Collections;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The numbers of system calls, which differ by architecture (syscalls(2); arch/x86/entry/syscalls
 * and scripts/syscall.tbl of the kernel).
 */
public final class SystemCallTable {
  /** AUDIT_ARCH_X86_64, linux/audit.h. */
  public static final int AUDIT_ARCH_X86_64 = 0xC000003E;

  /** AUDIT_ARCH_AARCH64. */
  public static final int AUDIT_ARCH_AARCH64 = 0xC00000B7;

  /** The bit that numbers of the x32 interface have, which shares x86-64's audit number. */
  public static final int X32_BIT = 0x4000_0000;

  /** A name, its number on x86-64, and on aarch64; a dash where there is no such call. */
  private static final String NUMBERS =
      """
      read 0 63
      write 1 64
      open 2 -
      close 3 57
      stat 4 -
      fstat 5 80
      lstat 6 -
      poll 7 -
      lseek 8 62
      mmap 9 222
      mprotect 10 226
      munmap 11 215
      brk 12 214
      rt_sigaction 13 134
      rt_sigprocmask 14 135
      rt_sigreturn 15 139
      ioctl 16 29
      pread64 17 67
      pwrite64 18 68
      readv 19 65
      writev 20 66
      access 21 -
      pipe 22 -
      select 23 -
      sched_yield 24 124
      mremap 25 216
      msync 26 227
      mincore 27 232
      madvise 28 233
      dup 32 23
      dup2 33 -
      nanosleep 35 101
      getpid 39 172
      sendfile 40 71
      socket 41 198
      connect 42 203
      accept 43 202
      sendto 44 206
      recvfrom 45 207
      sendmsg 46 211
      recvmsg 47 212
      shutdown 48 210
      bind 49 200
      listen 50 201
      getsockname 51 204
      getpeername 52 205
      socketpair 53 199
      setsockopt 54 208
      getsockopt 55 209
      clone 56 220
      fork 57 -
      vfork 58 -
      execve 59 221
      exit 60 93
      kill 62 129
      uname 63 160
      fcntl 72 25
      fsync 74 82
      fdatasync 75 83
      ftruncate 77 46
      getcwd 79 17
      rename 82 -
      mkdir 83 -
      link 86 -
      unlink 87 -
      readlink 89 -
      chmod 90 -
      fchmod 91 52
      gettimeofday 96 169
      getrlimit 97 163
      getrusage 98 165
      sysinfo 99 179
      times 100 153
      ptrace 101 117
      getuid 102 174
      getgid 104 176
      setuid 105 146
      setgid 106 144
      geteuid 107 175
      getegid 108 177
      getppid 110 173
      setreuid 113 145
      setregid 114 143
      setgroups 116 159
      setresuid 117 147
      setresgid 119 149
      setfsuid 122 151
      setfsgid 123 152
      capset 126 91
      rt_sigpending 127 136
      rt_sigtimedwait 128 137
      rt_sigsuspend 130 133
      sigaltstack 131 132
      mknod 133 -
      personality 135 92
      statfs 137 43
      fstatfs 138 44
      getpriority 140 141
      sched_getparam 143 121
      sched_getscheduler 145 120
      sched_get_priority_max 146 125
      sched_get_priority_min 147 126
      pivot_root 155 41
      prctl 157 167
      arch_prctl 158 -
      chroot 161 51
      mount 165 40
      umount2 166 39
      swapon 167 224
      reboot 169 142
      init_module 175 105
      delete_module 176 106
      gettid 186 178
      time 201 -
      futex 202 98
      sched_getaffinity 204 123
      getdents64 217 61
      set_tid_address 218 96
      restart_syscall 219 128
      fadvise64 221 223
      clock_gettime 228 113
      clock_getres 229 114
      clock_nanosleep 230 115
      exit_group 231 94
      epoll_wait 232 -
      epoll_ctl 233 21
      tgkill 234 131
      kexec_load 246 104
      add_key 248 217
      request_key 249 218
      keyctl 250 219
      openat 257 56
      mkdirat 258 34
      mknodat 259 33
      newfstatat 262 79
      unlinkat 263 35
      renameat 264 38
      linkat 265 37
      readlinkat 267 78
      fchmodat 268 53
      faccessat 269 48
      pselect6 270 72
      ppoll 271 73
      unshare 272 97
      set_robust_list 273 99
      get_robust_list 274 100
      epoll_pwait 281 22
      accept4 288 242
      eventfd2 290 19
      epoll_create1 291 20
      dup3 292 24
      pipe2 293 59
      perf_event_open 298 241
      prlimit64 302 261
      open_by_handle_at 304 265
      setns 308 268
      getcpu 309 168
      process_vm_readv 310 270
      process_vm_writev 311 271
      finit_module 313 273
      renameat2 316 276
      seccomp 317 277
      getrandom 318 278
      memfd_create 319 279
      bpf 321 280
      execveat 322 281
      userfaultfd 323 282
      membarrier 324 283
      statx 332 291
      rseq 334 293
      pidfd_send_signal 424 424
      io_uring_setup 425 425
      io_uring_enter 426 426
      io_uring_register 427 427
      clone3 435 435
      close_range 436 436
      pidfd_getfd 438 438
      faccessat2 439 439
      epoll_pwait2 441 441
      landlock_create_ruleset 444 444
      landlock_add_rule 445 445
      landlock_restrict_self 446 446
      fallocate 285 47
      fchmodat2 452 452
      """;

  private static final int X86_64 = 1;
  private static final int AARCH64 = 2;

  private final int auditArch;
  private final Map<String, Integer> numbers = new HashMap<>();
  private final Map<Integer, String> names = new HashMap<>();

  private SystemCallTable(int auditArch, int column) {
    this.auditArch = auditArch;
    for (String line : NUMBERS.split("\n", -1)) {
      String[] words = line.split(" ", -1);
      if (words.length > column && !words[column].equals("-")) {
        int number = Integer.parseInt(words[column]);
        numbers.put(words[0], number);
        names.put(number, words[0]);
      }
    }
  }

  /**
   * That of an architecture.
   *
   * @param arch as in the system property {@code os.arch}
   * @return empty when Peekpass does not know its numbers
   */
  public static Optional<SystemCallTable> of(String arch) {
    return switch (arch.toLowerCase(Locale.ROOT)) {
      case "amd64", "x86_64" -> Optional.of(new SystemCallTable(AUDIT_ARCH_X86_64, X86_64));
      case "aarch64" -> Optional.of(new SystemCallTable(AUDIT_ARCH_AARCH64, AARCH64));
      default -> Optional.empty();
    };
  }

  /** How seccomp_data and the audit log name the architecture. */
  public int auditArch() {
    return auditArch;
  }

  /** The number of a call; empty when this architecture has none of that name. */
  public OptionalInt number(String name) {
    Integer number = numbers.get(name);
    return number == null ? OptionalInt.empty() : OptionalInt.of(number);
  }

  /** The name of a call, or its number in words. */
  public String name(int number) {
    return names.getOrDefault(number, "system call " + number);
  }

  /** The greatest number in it: what is above is newer than this table. */
  public int newest() {
    return Collections.max(names.keySet());
  }
}
