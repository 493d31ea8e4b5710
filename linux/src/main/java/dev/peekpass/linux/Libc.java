package dev.peekpass.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * The C library's functions as method handles.
 *
 * <p>All share one shape, six words in and one out, since each further shape costs about 15 ms at
 * start-up. On x86-64 (System V) and aarch64 (AAPCS64) an integer or pointer argument is one
 * register whatever its width, a callee reads only the registers and widths it declares, and the
 * upper half of an {@code int} result is undefined: hence the casts in {@link LinuxKernel}. Words
 * beyond a function's own parameters are zeros in registers it does not look at.
 *
 * <p>So are the arguments of a variadic function (fcntl, ioctl, syscall): on both, what is variable
 * and a word goes where any other word goes.
 */
@SuppressWarnings("restricted")
final class Libc {
  /** Where errno is captured, right after the call and before the JVM can disturb it. */
  static final Linker.Option CAPTURE_ERRNO = Linker.Option.captureCallState("errno");

  static final long ERRNO_OFFSET =
      Linker.Option.captureStateLayout().byteOffset(PathElement.groupElement("errno"));

  private static final FunctionDescriptor WORDS =
      FunctionDescriptor.of(
          JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

  static final MethodHandle SOCKET = link("socket");
  static final MethodHandle BIND = link("bind");
  static final MethodHandle LISTEN = link("listen");
  static final MethodHandle ACCEPT4 = link("accept4");
  static final MethodHandle CONNECT = link("connect");
  static final MethodHandle GETSOCKNAME = link("getsockname");
  static final MethodHandle GETPEERNAME = link("getpeername");
  static final MethodHandle SETSOCKOPT = link("setsockopt");
  static final MethodHandle GETSOCKOPT = link("getsockopt");

  static final MethodHandle RECV = link("recv");
  static final MethodHandle SEND = link("send");
  static final MethodHandle WRITE = link("write");
  static final MethodHandle SENDMSG = link("sendmsg");
  static final MethodHandle RECVMSG = link("recvmsg");
  static final MethodHandle SHUTDOWN = link("shutdown");
  static final MethodHandle CLOSE = link("close");
  static final MethodHandle DUP3 = link("dup3");
  static final MethodHandle EPOLL_CREATE1 = link("epoll_create1");
  static final MethodHandle EPOLL_CTL = link("epoll_ctl");
  static final MethodHandle EPOLL_WAIT = link("epoll_wait");
  static final MethodHandle POLL = link("poll");
  static final MethodHandle EVENTFD = link("eventfd");
  static final MethodHandle EVENTFD_READ = link("eventfd_read");
  static final MethodHandle EVENTFD_WRITE = link("eventfd_write");
  static final MethodHandle GETRLIMIT = link("getrlimit");
  static final MethodHandle GETEUID = link("geteuid");
  static final MethodHandle FCNTL = link("fcntl");
  static final MethodHandle IOCTL = link("ioctl");

  /**
   * Linked on first use, since it is a shape of its own. Keeping errno makes the JDK allocate in
   * code that C2 has not compiled, and a call that is made only now and then is not for long.
   */
  static final class WithoutErrno {
    static final MethodHandle GETSOCKOPT = linkWith("getsockopt");

    private WithoutErrno() {}

    /** Does what the first use would. */
    static void link() {
      // Whoever calls this has the class initialised.
    }
  }

  /** Linked on first use: only the acknowledged hand-off shares memory. */
  static final class Memory {
    static final MethodHandle MEMFD_CREATE = link("memfd_create");
    static final MethodHandle FTRUNCATE = link("ftruncate");
    static final MethodHandle LSEEK = link("lseek");
    static final MethodHandle MMAP = link("mmap");
    static final MethodHandle MUNMAP = link("munmap");

    private Memory() {}
  }

  /** Linked on first use; some are younger than others. */
  static final class Rare {
    /** glibc 2.34. */
    static final @Nullable MethodHandle CLOSE_RANGE = linkIfThere("close_range");

    /** glibc 2.30. */
    static final @Nullable MethodHandle GETTID = linkIfThere("gettid");

    /** glibc 2.30. */
    static final @Nullable MethodHandle TGKILL = linkIfThere("tgkill");

    static final MethodHandle GETPID = link("getpid");
    static final MethodHandle SIGNAL = link("signal");
    static final MethodHandle SIGPROCMASK = link("sigprocmask");

    /** A function that takes an int and does nothing else: a signal's handler. */
    static final MemorySegment ABS = Linker.nativeLinker().defaultLookup().findOrThrow("abs");

    private Rare() {}
  }

  /** Linked on first use: only what binds a UNIX socket renames files. */
  static final class Files {
    /** glibc 2.28. */
    static final @Nullable MethodHandle RENAMEAT2 = linkIfThere("renameat2");

    private Files() {}
  }

  /** Linked on first use: only a start that confines the process calls them. */
  static final class Confine {
    static final MethodHandle SYSCALL = link("syscall");

    static final MethodHandle FCHOWN = link("fchown");

    private Confine() {}
  }

  /**
   * Linked on first use: a start that becomes another user. Without errno, which is a shape of its
   * own.
   */
  static final class Users {
    static final MethodHandle GETPWNAM = linkWith("getpwnam");
    static final MethodHandle GETPWUID = linkWith("getpwuid");
    static final MethodHandle GETGRNAM = linkWith("getgrnam");
    static final MethodHandle GETGROUPLIST = linkWith("getgrouplist");

    private Users() {}
  }

  private Libc() {}

  private static MethodHandle link(String name) {
    return linkWith(name, CAPTURE_ERRNO);
  }

  private static @Nullable MethodHandle linkIfThere(String name) {
    return Linker.nativeLinker().defaultLookup().find(name).isPresent() ? link(name) : null;
  }

  private static MethodHandle linkWith(String name, Linker.Option... options) {
    Linker linker = Linker.nativeLinker();
    SymbolLookup lookup = linker.defaultLookup();
    return linker.downcallHandle(lookup.findOrThrow(name), WORDS, options);
  }
}
