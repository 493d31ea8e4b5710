package dev.peekpass.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The calls by which a process changes what it is and what it may: its user, its capabilities,
 * Landlock, seccomp, and the program that it runs. Made at a start only, and not part of {@link
 * Kernel}: no simulation has a use for them.
 *
 * <p>Results are as in {@link Kernel}: 0 or more, or {@code -errno}. <b>All of them concern the
 * calling thread</b>, as the kernel has it, and not the whole process as the C library may; what
 * does concern the process says so. Not for the hot path: each call has memory of its own.
 *
 * <p>A call that this architecture's table lacks is {@code -ENOSYS}.
 */
@SuppressWarnings("restricted")
public final class ProcessCalls {
  // landlock_create_ruleset(2)
  private static final int LANDLOCK_CREATE_RULESET_VERSION = 1;
  private static final int LANDLOCK_RULE_PATH_BENEATH = 1;
  private static final int LANDLOCK_RULE_NET_PORT = 2;

  // capset(2)
  private static final int LINUX_CAPABILITY_VERSION_3 = 0x20080522;

  // prctl(2)
  private static final int PR_CAPBSET_READ = 23;
  private static final int PR_CAPBSET_DROP = 24;
  private static final int PR_SET_DUMPABLE = 4;
  private static final int PR_SET_NO_NEW_PRIVS = 38;
  private static final int PR_CAP_AMBIENT = 47;
  private static final int PR_CAP_AMBIENT_CLEAR_ALL = 4;

  // open(2)
  private static final int AT_FDCWD = -100;
  private static final int O_PATH = 0x200000;

  // close_range(2)
  private static final int CLOSE_RANGE_CLOEXEC = 4;

  // seccomp(2)
  private static final int SECCOMP_SET_MODE_FILTER = 1;

  /** All threads of the process get the filter, and no_new_privs. */
  public static final int SECCOMP_FILTER_FLAG_TSYNC = 1;

  /** What is refused with an error is logged by the kernel. */
  public static final int SECCOMP_FILTER_FLAG_LOG = 1 << 1;

  /** A passwd entry, getpwnam(3). */
  public record User(String name, int uid, int gid) {}

  private static final @Nullable SystemCallTable TABLE =
      SystemCallTable.of(System.getProperty("os.arch", "")).orElse(null);

  private ProcessCalls() {}

  /** By way of a buffer: the JDK makes code at run time for each kind of access to a segment. */
  private static ByteBuffer bytes(MemorySegment memory) {
    return memory.asByteBuffer().order(ByteOrder.nativeOrder());
  }

  private static int[] ints(MemorySegment memory, int count) {
    int[] values = new int[count];
    bytes(memory).asIntBuffer().get(values);
    return values;
  }

  static int call(String name, long a, long b, long c, long d, long e) {
    int number = TABLE == null ? -1 : TABLE.number(name).orElse(-1);
    if (number < 0) {
      return -Errno.ENOSYS;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
      long r = (long) Libc.Confine.SYSCALL.invokeExact(errno, (long) number, a, b, c, d, e);
      return r < 0 ? -bytes(errno).getInt((int) Libc.ERRNO_OFFSET) : (int) r;
    } catch (Throwable t) {
      throw new AssertionError("a system call could not be made", t);
    }
  }

  /** setgroups(2). */
  public static int setgroups(int[] groups) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment list = arena.allocate(4L * Math.max(1, groups.length), 8);
      bytes(list).asIntBuffer().put(groups);
      return call("setgroups", groups.length, list.address(), 0, 0, 0);
    }
  }

  /** setresgid(2): all three. */
  public static int setresgid(int gid) {
    return call("setresgid", gid, gid, gid, 0, 0);
  }

  /** setresuid(2): all three. Where that is not root, the capabilities go. */
  public static int setresuid(int uid) {
    return call("setresuid", uid, uid, uid, 0, 0);
  }

  /**
   * setfsuid(2): as whom files are made and looked at, and sockets made. Root's thread keeps all
   * privileges that are not about files, and is as before with 0.
   *
   * @return as whom it was before, whether it could be changed or not
   */
  public static int setfsuid(int uid) {
    return call("setfsuid", uid, 0, 0, 0, 0);
  }

  /** prctl(2) with PR_CAPBSET_READ: 1, 0, or -EINVAL for a capability that there is not. */
  public static int hasBoundingCapability(int capability) {
    return call("prctl", PR_CAPBSET_READ, capability, 0, 0, 0);
  }

  /** prctl(2) with PR_CAPBSET_DROP; -EPERM without CAP_SETPCAP. */
  public static int dropBoundingCapability(int capability) {
    return call("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0);
  }

  /** prctl(2) with PR_CAP_AMBIENT_CLEAR_ALL. */
  public static int clearAmbientCapabilities() {
    return call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  }

  /** capset(2): effective and permitted are these and no others; inheritable none. */
  public static int capset(long capabilities) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment header = arena.allocate(8, 8);
      bytes(header).putInt(0, LINUX_CAPABILITY_VERSION_3);
      MemorySegment data = arena.allocate(24, 8);
      for (int half = 0; half < 2; half++) {
        int bits = (int) (capabilities >>> (32 * half));
        bytes(data).putInt((int) (12L * half), bits);
        bytes(data).putInt((int) (12L * half + 4), bits);
      }
      return call("capset", header.address(), data.address(), 0, 0, 0);
    }
  }

  /**
   * prctl(2) with PR_SET_DUMPABLE: lets this process read its own files in /proc, which one whose
   * program has file capabilities may not (proc(5)).
   */
  public static int setDumpable() {
    return call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0);
  }

  /** prctl(2) with PR_SET_NO_NEW_PRIVS: execve(2) gives no privileges any more. */
  public static int setNoNewPrivileges() {
    return call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  }

  /** landlock_create_ruleset(2): the version of Landlock's interface, 1 or more. */
  public static int landlockVersion() {
    return call("landlock_create_ruleset", 0, 0, LANDLOCK_CREATE_RULESET_VERSION, 0, 0);
  }

  /**
   * landlock_create_ruleset(2). The masks say what is refused unless a rule allows it; those that
   * the kernel's version does not know must be 0.
   *
   * @param version what {@link #landlockVersion} says
   * @return a new descriptor
   */
  public static int landlockCreateRuleset(int version, long files, long net, long scoped) {
    int bytes = version < 4 ? 8 : version < 6 ? 16 : 24;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment attributes = arena.allocate(24, 8);
      bytes(attributes).putLong(0, files);
      bytes(attributes).putLong(8, net);
      bytes(attributes).putLong(16, scoped);
      return call("landlock_create_ruleset", attributes.address(), bytes, 0, 0, 0);
    }
  }

  /** landlock_add_rule(2) for what is at and beneath {@code path}, which stays the caller's. */
  public static int landlockAllowPath(Fd ruleset, long access, Fd path) {
    try (Arena arena = Arena.ofConfined()) {
      // struct landlock_path_beneath_attr is packed.
      MemorySegment rule = arena.allocate(16, 8);
      bytes(rule).putLong(0, access);
      bytes(rule).putInt(8, path.number());
      return call(
          "landlock_add_rule", ruleset.number(), LANDLOCK_RULE_PATH_BENEATH, rule.address(), 0, 0);
    }
  }

  /** landlock_add_rule(2) for a TCP port; 0 is one that the kernel chooses. */
  public static int landlockAllowPort(Fd ruleset, long access, int port) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rule = arena.allocate(16, 8);
      bytes(rule).putLong(0, access);
      bytes(rule).putLong(8, port);
      return call(
          "landlock_add_rule", ruleset.number(), LANDLOCK_RULE_NET_PORT, rule.address(), 0, 0);
    }
  }

  /** landlock_restrict_self(2); needs no_new_privs or CAP_SYS_ADMIN. */
  public static int landlockRestrictSelf(Fd ruleset) {
    return call("landlock_restrict_self", ruleset.number(), 0, 0, 0, 0);
  }

  /** open(2) with O_PATH: a new descriptor that only names a file. */
  public static int openPath(String path) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(path);
      return call("openat", AT_FDCWD, name.address(), O_PATH | Linux.O_CLOEXEC, 0, 0);
    }
  }

  /** fchown(2) of a socket too, whose user is then another. Of the process's descriptors. */
  public static int fchown(Fd descriptor, int uid, int gid) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
      long r =
          (long)
              Libc.Confine.FCHOWN.invokeExact(
                  errno, (long) descriptor.number(), (long) uid, (long) gid, 0L, 0L, 0L);
      return (int) r < 0 ? -bytes(errno).getInt((int) Libc.ERRNO_OFFSET) : 0;
    } catch (Throwable t) {
      throw new AssertionError("a system call could not be made", t);
    }
  }

  /** write(2) until all is written; 0 or -errno. */
  public static int writeAll(Kernel kernel, Fd file, byte[] bytes) {
    NativeBuffer buffer = new NativeBuffer(Math.max(1, bytes.length));
    buffer.bytes().put(0, bytes);
    for (int done = 0; done < bytes.length; ) {
      int r = kernel.write(file, buffer, done, bytes.length - done);
      if (r < 0) {
        return r;
      }
      done += r;
    }
    return 0;
  }

  /** close_range(2) with CLOSE_RANGE_CLOEXEC, of the process's descriptors; since Linux 5.11. */
  public static int closeAtExec(int from) {
    return call("close_range", from, 0xFFFF_FFFFL, CLOSE_RANGE_CLOEXEC, 0, 0);
  }

  /** fcntl(2) with F_SETFD and no flag: the program that is executed gets this descriptor. */
  public static int keepAtExec(Fd descriptor) {
    return call("fcntl", descriptor.number(), Linux.F_SETFD, 0, 0, 0);
  }

  /**
   * execve(2). Returns only when it fails, and then -errno. Of the process: all other threads end.
   *
   * @param arguments of the program, its own name first, without zero bytes
   * @param environment {@code NAME=VALUE} each
   */
  public static int execve(String path, List<byte[]> arguments, List<byte[]> environment) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment file = arena.allocateFrom(path);
      return call(
          "execve",
          file.address(),
          strings(arena, arguments).address(),
          strings(arena, environment).address(),
          0,
          0);
    }
  }

  private static MemorySegment strings(Arena arena, List<byte[]> strings) {
    MemorySegment array = arena.allocate(8L * (strings.size() + 1), 8);
    for (int i = 0; i < strings.size(); i++) {
      byte[] bytes = strings.get(i);
      MemorySegment one = arena.allocate(bytes.length + 1L);
      bytes(one).put(0, bytes);
      bytes(array).putLong(8 * i, one.address());
    }
    return array;
  }

  /**
   * seccomp(2) with SECCOMP_SET_MODE_FILTER; needs no_new_privs or CAP_SYS_ADMIN.
   *
   * @param flags SECCOMP_FILTER_FLAG_…
   * @return 0, or with TSYNC a thread that has another filter
   */
  public static int seccomp(SeccompFilter filter, int flags) {
    try {
      return call("seccomp", SECCOMP_SET_MODE_FILTER, flags, filter.address(), 0, 0);
    } finally {
      Reference.reachabilityFence(filter);
    }
  }

  /** getpwnam(3). For one thread at a time in the process. */
  public static Optional<User> userByName(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment key = arena.allocateFrom(name);
      return user(lookUp(Libc.Users.GETPWNAM, key.address()));
    }
  }

  /** getpwuid(3), as {@link #userByName}. */
  public static Optional<User> userByNumber(int uid) {
    return user(lookUp(Libc.Users.GETPWUID, uid));
  }

  /** getgrnam(3): the group's number. */
  public static Optional<Integer> groupByName(String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment key = arena.allocateFrom(name);
      long at = lookUp(Libc.Users.GETGRNAM, key.address());
      // struct group: name, password, gid
      return at == 0
          ? Optional.empty()
          : Optional.of(bytes(MemorySegment.ofAddress(at).reinterpret(20)).getInt(16));
    }
  }

  private static long lookUp(MethodHandle function, long key) {
    try {
      return (long) function.invokeExact(key, 0L, 0L, 0L, 0L, 0L);
    } catch (Throwable t) {
      throw new AssertionError("a function of the C library could not be called", t);
    }
  }

  private static Optional<User> user(long at) {
    if (at == 0) {
      return Optional.empty();
    }
    // struct passwd: name, password, uid, gid
    MemorySegment entry = MemorySegment.ofAddress(at).reinterpret(24);
    String name =
        MemorySegment.ofAddress(bytes(entry).getLong(0))
            .reinterpret(Long.MAX_VALUE)
            .getString(0, StandardCharsets.UTF_8);
    return Optional.of(new User(name, bytes(entry).getInt(16), bytes(entry).getInt(20)));
  }

  /**
   * getgrouplist(3).
   *
   * @param gid a group that is in the list in any case
   * @return at most 1024
   */
  public static int[] groupsOf(String user, int gid) {
    int most = 1024;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(user);
      MemorySegment list = arena.allocate(4L * most, 8);
      MemorySegment count = arena.allocate(8, 8);
      bytes(count).putInt(0, most);
      long r =
          (long)
              Libc.Users.GETGROUPLIST.invokeExact(
                  name.address(), (long) gid, list.address(), count.address(), 0L, 0L);
      int found = (int) r < 0 ? 0 : Math.min(most, bytes(count).getInt(0));
      return found == 0 ? new int[] {gid} : ints(list, found);
    } catch (Throwable t) {
      throw new AssertionError("a function of the C library could not be called", t);
    }
  }
}
