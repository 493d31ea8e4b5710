package dev.peekpass.cli.stage;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallTable;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.confine.Confinement;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;

/**
 * A program that starts as {@code peekpass run} does, in two stages, and then tries what it must
 * not do: a process of the proxy's user, with the proxy's own confinement, from a thread that was
 * there before and from a new one. Prints what came of each, a line with a dot between thread and
 * thing, and the errno.
 *
 * <p>Arguments: the configuration; a file that everybody may read; a directory in which everybody
 * may write; the port of somebody who listens; a process that it may not signal; {@code all}, or
 * {@code harmless} for what a process that is not confined may try as well.
 */
@SuppressWarnings("restricted")
final class ForbiddenThings {
  private static final MethodHandle SYSCALL =
      Linker.nativeLinker()
          .downcallHandle(
              Linker.nativeLinker().defaultLookup().findOrThrow("syscall"),
              FunctionDescriptor.of(
                  JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
                  JAVA_LONG),
              Linker.Option.captureCallState("errno"));

  private static final SystemCallTable TABLE =
      SystemCallTable.of(System.getProperty("os.arch")).orElseThrow();

  private final String thread;
  private final String[] arguments;

  private ForbiddenThings(String thread, String[] arguments) {
    this.thread = thread;
    this.arguments = arguments;
  }

  public static void main(String[] arguments) throws Exception {
    LinuxKernel kernel = LinuxKernel.open();
    Optional<HandedDown> handed = HandedDown.find(kernel, System.getenv());
    if (handed.isEmpty()) {
      Path file = Path.of(arguments[0]);
      String text = Files.readString(file);
      var read = (ConfigurationReader.Valid) ConfigurationReader.read("a.yaml", text);
      FirstStage.run(
          kernel,
          new FirstStage.Request(
              read.configuration(),
              text,
              Optional.of(file),
              null,
              System.getenv(),
              TakeoverTimes.STANDARD,
              Runnable::run));
      return;
    }
    CountDownLatch confined = new CountDownLatch(1);
    Thread old =
        Thread.ofPlatform()
            .start(() -> {
              try {
                confined.await();
                new ForbiddenThings("old", arguments).tryAll();
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
            });
    Confinement confinement = new Confinement(handed.get().bounds());
    confinement.confineFromHere(kernel);
    confined.countDown();
    old.join();
    Thread young = Thread.ofPlatform().start(() -> new ForbiddenThings("new", arguments).tryAll());
    young.join();
    System.out.println("done");
  }

  private void tryAll() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment zeros = arena.allocate(256, 8);
      say("netlink", close(call("socket", 16, 2, 0, 0, 0)));
      say("personality", call("personality", 0xffff_ffffL, 0, 0, 0, 0));
      say("prctl-dumpable", call("prctl", 4, 1, 0, 0, 0));
      say("open-readable", close(open(arena, arguments[1], 0)));
      say("list-root", close(open(arena, "/", 0x10000)));
      say("write", close(open(arena, arguments[2] + "/made-" + thread, 0x41)));
      say("append", close(open(arena, arguments[1], 0x1)));
      MemorySegment made = arena.allocateFrom(arguments[2] + "/dir-" + thread);
      say("mkdirat", call("mkdirat", -100, made.address(), 0755, 0, 0));
      say("open-configuration", close(open(arena, arguments[0], 0)));
      say("open-null", close(open(arena, "/dev/null", 1)));
      say("unix", close(call("socket", 1, 1, 0, 0, 0)));
      say("inet", close(call("socket", 2, 1, 0, 0, 0)));
      long self = ProcessHandle.current().pid();
      say("kill-self", call("kill", self, 0, 0, 0, 0));
      // As a loop that waits is got out (StallWatch).
      say("tgkill-self", call("tgkill", self, self, 0, 0, 0));
      say("prlimit-get", call("prlimit64", 0, 7, 0, zeros.address(), 0));
    }
    trySockets();
    say("bind", bind(0));
    say("connect", connect());
    say("start", processBuilder());
    say("thread", newThread());
    if (arguments[5].equals("all")) {
      tryTheRest();
    }
  }

  /** Ways to the network that are not connect(2) and bind(2) of an ordinary TCP socket. */
  private void trySockets() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment one = arena.allocateFrom(JAVA_INT, 1);
      MemorySegment address = arena.allocate(16, 8);
      int port = Integer.parseInt(arguments[3]);
      address.asByteBuffer().order(ByteOrder.nativeOrder()).putShort((short) 2);
      address.asByteBuffer().putShort(2, (short) port).putInt(4, 0x7F000001);
      for (int family : new int[] {2, 10}) {
        String of = family == 2 ? "" : "6";
        say("mptcp" + of, close(call("socket", family, 1, 262, 0, 0)));
        say("sctp" + of, close(call("socket", family, 1, 132, 0, 0)));
        say("udp" + of, close(call("socket", family, 2, 0, 0, 0)));
        say("raw" + of, close(call("socket", family, 3, 6, 0, 0)));
        say("tcp" + of, close(call("socket", family, 1 | 0x80000, 6, 0, 0)));
      }
      long tcp = call("socket", 2, 1, 0, 0, 0);
      say("fast-open-sendto", fastOpen(tcp, address));
      close(tcp);
      tcp = call("socket", 2, 1, 0, 0, 0);
      MemorySegment parts = arena.allocate(16, 8);
      ByteBuffer part = parts.asByteBuffer().order(ByteOrder.nativeOrder());
      part.putLong(one.address()).putLong(4);
      MemorySegment header = arena.allocate(64, 8);
      ByteBuffer message = header.asByteBuffer().order(ByteOrder.nativeOrder());
      message.putLong(address.address()).putLong(16).putLong(parts.address()).putLong(1);
      say("fast-open-sendmsg", call("sendmsg", tcp, header.address(), 0x2000_4000, 0, 0));
      say("sendmmsg", raw(307, 269, tcp, header.address(), 1, 0x2000_4000));
      close(tcp);
      tcp = call("socket", 2, 1, 0, 0, 0);
      say("tcp-repair", option(tcp, 6, 19, one));
      say("port-range", option(tcp, 0, 51, one));
      say("attach-bpf", option(tcp, 1, 50, one));
      say("mark", option(tcp, 1, 36, one));
      say("to-device", option(tcp, 1, 25, one));
      say("multicast-all", option(tcp, 0, 49, one));
      say("set-owner", call("fcntl", tcp, 8, ProcessHandle.current().pid(), 0, 0));
      say("set-signal", call("fcntl", tcp, 10, 9, 0, 0));
      say("ioctl-owner", call("ioctl", tcp, 0x8901, one.address(), 0, 0));
      // Not refused, and said to be so: the port is one that the kernel chooses.
      say("listen-unbound", call("listen", tcp, 1, 0, 0, 0));
      close(tcp);
    }
  }

  private static long fastOpen(long tcp, MemorySegment address) {
    long number = TABLE.number("sendto").orElseThrow();
    return SystemCall.raw(number, tcp, address.address(), 4, 0x2000_4000, address.address(), 16);
  }

  private static long option(long socket, int level, int name, MemorySegment value) {
    return call("setsockopt", socket, level, name, value.address(), 4);
  }

  /** What the table does not name. */
  private static long raw(int amd64, int aarch64, long a, long b, long c, long d) {
    boolean arm = System.getProperty("os.arch").equals("aarch64");
    return SystemCall.raw(arm ? aarch64 : amd64, a, b, c, d, 0, 0);
  }

  /** By way of what the kernel shows as files, and of memory. */
  private void tryFilesOfProcesses(Arena arena) {
    say("own-memory", close(open(arena, "/proc/self/mem", 2)));
    say("other-memory", close(open(arena, "/proc/" + arguments[4] + "/mem", 0)));
    say("other-environment", close(open(arena, "/proc/" + arguments[4] + "/environ", 0)));
    long file = open(arena, arguments[0], 0);
    say("open-again-to-write", close(open(arena, "/proc/self/fd/" + file, 1)));
    say("fchmod-setuid", call("fchmod", file, 04755, 0, 0, 0));
    close(file);
    MemorySegment name = arena.allocateFrom(arguments[1]);
    say("chmod-setuid", call("fchmodat", -100, name.address(), 04755, 0, 0));
    say("chown", raw(260, 54, -100, name.address(), -1, -1));
    say("truncate", raw(76, 45, name.address(), 0, 0, 0));
    say("utimensat", raw(280, 88, -100, name.address(), 0, 0));
    MemorySegment empty = arena.allocateFrom("");
    MemorySegment array = arena.allocate(JAVA_LONG, 4);
    long memory = call("memfd_create", empty.address(), 0, 0, 0, 0);
    say(
        "execveat-memory",
        SystemCall.raw(
            TABLE.number("execveat").orElseThrow(),
            memory,
            empty.address(),
            array.address(),
            array.address(),
            0x1000,
            0));
    close(memory);
    say("pidfd_open", raw(434, 434, Long.parseLong(arguments[4]), 0, 0, 0));
    say("pidfd_getfd", raw(438, 438, 0, 0, 0, 0));
    say("process_madvise", raw(440, 440, 0, 0, 0, 0));
    say("setns", raw(308, 268, 0, 0, 0, 0));
    say("shmget", raw(29, 194, 0, 4096, 01600, 0));
    say("shmat", raw(30, 196, 0, 0, 0, 0));
    say("msgget", raw(68, 186, 0, 01600, 0, 0));
    say("mq_open", raw(240, 180, name.address(), 0, 0, 0));
    say("tkill", raw(200, 130, Long.parseLong(arguments[4]), 0, 0, 0));
    say("rt_sigqueueinfo", raw(129, 138, Long.parseLong(arguments[4]), 0, 0, 0));
    say("prctl-mm", call("prctl", 35, 1, 0, 0, 0));
    say("prctl-seccomp", call("prctl", 22, 2, 0, 0, 0));
    // Who answers for a filter can allow what it is asked about.
    say("ioctl-notif-recv", call("ioctl", -1, 0xC050_2100L, 0, 0, 0));
    say("ioctl-notif-send", call("ioctl", -1, 0xC018_2101L, 0, 0, 0));
    say("newer-call", raw(600, 600, 0, 0, 0, 0));
    say("ioctl-notif-addfd", call("ioctl", -1, 0x4018_2103L, 0, 0, 0));
    say("seccomp-listeners", seccompListeners());
  }

  private static String seccompListeners() {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      int found = 0;
      for (Path one : descriptors.toList()) {
        if (Files.isSymbolicLink(one)
            && Files.readSymbolicLink(one).toString().contains("seccomp")) {
          found++;
        }
      }
      return String.valueOf(found);
    } catch (IOException e) {
      return e.toString();
    }
  }

  private void tryTheRest() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment program = arena.allocateFrom("/bin/true");
      MemorySegment array = arena.allocate(JAVA_LONG, 4);
      MemorySegment zeros = arena.allocate(256, 8);
      tryFilesOfProcesses(arena);
      say("execve", call("execve", program.address(), array.address(), array.address(), 0, 0));
      say(
          "execveat",
          call("execveat", -100, program.address(), array.address(), array.address(), 0));
      say("fork", call("clone", 17, 0, 0, 0, 0));
      say("clone-newuser", call("clone", 0x1000_0000 | 0x0001_0f00, 0, 0, 0, 0));
      say("clone3", call("clone3", zeros.address(), 88, 0, 0, 0));
      say("ptrace", call("ptrace", 0, 0, 0, 0, 0));
      say("ptrace-other", call("ptrace", 16, Long.parseLong(arguments[4]), 0, 0, 0));
      say("process_vm_readv", call("process_vm_readv", 1, 0, 0, 0, 0));
      say("setuid", call("setuid", 0, 0, 0, 0, 0));
      say("setresuid", call("setresuid", 0, 0, 0, 0, 0));
      say("setgroups", call("setgroups", 0, 0, 0, 0, 0));
      say("capset", call("capset", zeros.address(), 0, 0, 0, 0));
      say("packet", call("socket", 17, 3, 0, 0, 0));
      say("vsock", call("socket", 40, 1, 0, 0, 0));
      say("mount", call("mount", 0, program.address(), 0, 0, 0));
      say("unshare", call("unshare", 0x1000_0000, 0, 0, 0, 0));
      say("chroot", call("chroot", program.address(), 0, 0, 0, 0));
      say("io_uring_setup", call("io_uring_setup", 1, zeros.address(), 0, 0, 0));
      say("bpf", call("bpf", 0, zeros.address(), 72, 0, 0));
      say("perf_event_open", call("perf_event_open", zeros.address(), 0, -1, -1, 0));
      say("userfaultfd", call("userfaultfd", 1, 0, 0, 0, 0));
      say("open_by_handle_at", call("open_by_handle_at", -100, zeros.address(), 0, 0, 0));
      say("keyctl", call("keyctl", 0, -1, 0, 0, 0));
      say("finit_module", call("finit_module", 0, 0, 0, 0, 0));
      long other = Long.parseLong(arguments[4]);
      say("kill-other", call("kill", other, 0, 0, 0, 0));
      say("tgkill-other", call("tgkill", other, other, 0, 0, 0));
      say("prlimit-set", call("prlimit64", 0, 7, zeros.address(), 0, 0));
      say("ioctl-tiocsti", call("ioctl", 0, 0x5412, zeros.address(), 0, 0));
      say("seccomp", call("seccomp", 2, 0, zeros.address(), 0, 0));
      say("x32", SystemCall.raw(0x4000_0000L | 39, 0, 0, 0, 0, 0, 0));
      say("open-shadow", open(arena, "/etc/shadow", 0));
    }
  }

  private static long open(Arena arena, String path, int flags) {
    MemorySegment name = arena.allocateFrom(path);
    return call("openat", -100, name.address(), flags, 0644, 0);
  }

  private static long close(long fd) {
    return fd < 0 ? fd : call("close", fd, 0, 0, 0, 0);
  }

  private static long call(String name, long a, long b, long c, long d, long e) {
    return SystemCall.raw(TABLE.number(name).orElseThrow(), a, b, c, d, e, 0);
  }

  private static String processBuilder() {
    try {
      new ProcessBuilder("/bin/true").start();
      return "started";
    } catch (IOException e) {
      return e.toString().contains("Operation not permitted") ? "EPERM" : e.toString();
    }
  }

  private static String bind(int port) {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return "bound " + socket.getLocalPort();
    } catch (IOException e) {
      return e.toString().contains("Permission denied") ? "EACCES" : e.toString();
    }
  }

  private String connect() {
    try (Socket socket = new Socket()) {
      int port = Integer.parseInt(arguments[3]);
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      return "connected";
    } catch (IOException e) {
      return e.toString().contains("Permission denied") ? "EACCES" : e.toString();
    }
  }

  private static String newThread() {
    Thread thread = new Thread(() -> {});
    thread.start();
    try {
      thread.join();
    } catch (InterruptedException e) {
      return e.toString();
    }
    return "0";
  }

  private void say(String what, long result) {
    say(what, result < 0 ? dev.peekpass.linux.Errno.name((int) -result) : String.valueOf(result));
  }

  private void say(String what, String result) {
    System.out.println(thread + "." + what + " " + result);
  }

  /** syscall(2). */
  private static final class SystemCall {
    private static final long ERRNO =
        Linker.Option.captureStateLayout().byteOffset(PathElement.groupElement("errno"));

    static long raw(long number, long a, long b, long c, long d, long e, long f) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment state = arena.allocate(Linker.Option.captureStateLayout());
        long r = (long) SYSCALL.invokeExact(state, number, a, b, c, d, e, f);
        return r == -1 ? -state.get(JAVA_INT, ERRNO) : r;
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
    }
  }
}
