package dev.peekpass.proxy.confine;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.SeccompFilter.Instruction;
import dev.peekpass.linux.SystemCallTable;
import java.util.ArrayList;
import java.util.List;

/**
 * The program that the kernel asks about each system call (seccomp(2)).
 *
 * <pre>{@code
 * another architecture, or x32?          refuse
 * newer than the table?                  not there (ENOSYS)
 * sendmsg, sendto?                       by their flags
 * one that needs no look at arguments?   allow     the hot ones first
 * socket, clone, ioctl, …?               by their arguments
 * else                                   refuse
 * }</pre>
 *
 * What is decided by number alone the kernel decides once, when the filter is put in force, and
 * keeps in a bitmap: it costs a call next to nothing. For sendmsg and sendto it runs the program
 * each time, and therefore they come first.
 *
 * <p>Nothing is answered by a process (SECCOMP_RET_USER_NOTIF): who holds that descriptor can let a
 * call through, and code in the process would hold it.
 */
public final class CallFilter {
  // linux/bpf_common.h
  static final int LOAD_WORD = 0x20;
  static final int JUMP = 0x05;
  static final int JUMP_IF_EQUAL = 0x15;
  static final int JUMP_IF_AT_LEAST = 0x35;
  static final int JUMP_IF_ANY_BIT = 0x45;
  static final int AND = 0x54;
  static final int RETURN = 0x06;

  // struct seccomp_data, linux/seccomp.h
  static final int NUMBER_AT = 0;
  static final int ARCH_AT = 4;
  private static final int ARGUMENTS_AT = 16;

  // linux/seccomp.h
  static final int ALLOW = 0x7FFF_0000;
  static final int LOG = 0x7FFC_0000;
  private static final int ERRNO = 0x0005_0000;
  static final int REFUSE = ERRNO | Errno.EPERM;
  static final int NOT_THERE = ERRNO | Errno.ENOSYS;

  /** MSG_FASTOPEN: connects, and no LSM is asked about it, nor Landlock (Linux 6.18). */
  private static final int FAST_OPEN = 0x2000_0000;

  // socket(2)
  private static final int AF_UNIX = 1;
  private static final int SOCK_TYPE_MASK = 0xF;
  private static final int SOCK_STREAM = 1;
  private static final int IPPROTO_TCP = 6;

  // clone(2)
  private static final int CLONE_THREAD = 0x0001_0000;
  private static final int CLONE_NEW = 0x7E02_0000;

  /** Its arguments are in memory, where a filter cannot look. */
  private static final String CLONE3 = "clone3";

  /** How many comparisons jump to one instruction; a jump reaches 255. */
  private static final int GROUP = 200;

  private final SystemCallTable table;
  private final int refuse;
  private final List<Instruction> program = new ArrayList<>();

  private CallFilter(SystemCallTable table, int refuse) {
    this.table = table;
    this.refuse = refuse;
  }

  /**
   * A program of one rule, to be put in force before the other and without SECCOMP_FILTER_FLAG_LOG:
   * the C library tries clone3 for each new thread, and the kernel's log should not have a line for
   * each. The other lets it through, so that this one's answer holds.
   */
  public static List<Instruction> withoutClone3(SystemCallTable table) {
    CallFilter filter = new CallFilter(table, REFUSE);
    filter.load(ARCH_AT);
    filter.add(JUMP_IF_EQUAL, 1, 0, table.auditArch());
    filter.add(RETURN, 0, 0, ALLOW);
    filter.load(NUMBER_AT);
    filter.decide(List.of(CLONE3), NOT_THERE);
    filter.add(RETURN, 0, 0, ALLOW);
    return filter.program;
  }

  /**
   * The program for this machine.
   *
   * @param audit whether what would be refused is allowed, and logged by the kernel
   * @param pid of the process that gets it, the only one to which it may send signals
   */
  public static List<Instruction> program(SystemCallTable table, boolean audit, int pid) {
    return new CallFilter(table, audit ? LOG : REFUSE).build(pid);
  }

  private List<Instruction> build(int pid) {
    load(ARCH_AT);
    add(JUMP_IF_EQUAL, 1, 0, table.auditArch());
    add(RETURN, 0, 0, refuse);
    load(NUMBER_AT);
    if (table.auditArch() == SystemCallTable.AUDIT_ARCH_X86_64) {
      add(JUMP_IF_AT_LEAST, 0, 1, SystemCallTable.X32_BIT);
      add(RETURN, 0, 0, refuse);
    }
    add(JUMP_IF_AT_LEAST, 0, 1, table.newest() + 1);
    add(RETURN, 0, 0, refuse == REFUSE ? NOT_THERE : refuse);
    withoutBit("sendmsg", 2, FAST_OPEN);
    withoutBit("sendto", 3, FAST_OPEN);
    List<String> allowed = new ArrayList<>(CallRules.HOT);
    allowed.addAll(CallRules.ALLOWED);
    allowed.add(CLONE3);
    decide(allowed, ALLOW);
    socket();
    oneOf("socketpair", 0, List.of(AF_UNIX));
    option();
    oneOf("fcntl", 1, CallRules.FCNTLS);
    oneOf("chmod", 1, CallRules.MODES);
    oneOf("fchmod", 1, CallRules.MODES);
    oneOf("fchmodat", 2, CallRules.MODES);
    oneOf("fchmodat2", 2, CallRules.MODES);
    oneOf("ioctl", 1, CallRules.IOCTLS);
    oneOf("prctl", 0, CallRules.PRCTLS);
    oneOf("tgkill", 0, List.of(pid));
    oneOf("kill", 0, List.of(pid));
    readsOwnLimit(pid);
    newThread();
    add(RETURN, 0, 0, refuse);
    return program;
  }

  private void add(int code, int jumpTrue, int jumpFalse, int operand) {
    program.add(new Instruction(code, jumpTrue, jumpFalse, operand));
  }

  private void load(int offset) {
    add(LOAD_WORD, 0, 0, offset);
  }

  private List<Integer> numbers(List<String> names) {
    List<Integer> numbers = new ArrayList<>();
    names.forEach(name -> table.number(name).ifPresent(numbers::add));
    return numbers;
  }

  /** By number alone. */
  private void decide(List<String> names, int answer) {
    List<Integer> numbers = numbers(names);
    for (int from = 0; from < numbers.size(); from += GROUP) {
      List<Integer> group = numbers.subList(from, Math.min(numbers.size(), from + GROUP));
      for (int i = 0; i < group.size(); i++) {
        add(JUMP_IF_EQUAL, group.size() - i, 0, group.get(i));
      }
      add(JUMP, 0, 0, 1);
      add(RETURN, 0, 0, answer);
    }
  }

  /** A call that is allowed where an argument of it, an int, is one of these. */
  private void oneOf(String name, int argument, List<Integer> values) {
    if (table.number(name).isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, values.size() + 3, table.number(name).getAsInt());
    load(low(argument));
    for (int i = 0; i < values.size(); i++) {
      add(JUMP_IF_EQUAL, values.size() - i, 0, values.get(i));
    }
    add(RETURN, 0, 0, refuse);
    add(RETURN, 0, 0, ALLOW);
  }

  /** A call that is allowed where an argument of it lacks a bit. */
  private void withoutBit(String name, int argument, int bit) {
    if (table.number(name).isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, 4, table.number(name).getAsInt());
    load(low(argument));
    add(JUMP_IF_ANY_BIT, 0, 1, bit);
    add(RETURN, 0, 0, refuse);
    add(RETURN, 0, 0, ALLOW);
  }

  /**
   * socket(2): any of AF_UNIX; of AF_INET and AF_INET6 TCP alone. Landlock knows no other protocol:
   * not MPTCP, SCTP, UDP or a raw socket.
   */
  private void socket() {
    if (table.number("socket").isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, 12, table.number("socket").getAsInt());
    load(low(0));
    add(JUMP_IF_EQUAL, 9, 0, AF_UNIX);
    add(JUMP_IF_EQUAL, 1, 0, CallRules.INTERNET.get(0));
    add(JUMP_IF_EQUAL, 0, 6, CallRules.INTERNET.get(1));
    load(low(1));
    add(AND, 0, 0, SOCK_TYPE_MASK);
    add(JUMP_IF_EQUAL, 0, 3, SOCK_STREAM);
    load(low(2));
    add(JUMP_IF_EQUAL, 2, 0, 0);
    add(JUMP_IF_EQUAL, 1, 0, IPPROTO_TCP);
    add(RETURN, 0, 0, refuse);
    add(RETURN, 0, 0, ALLOW);
  }

  /** setsockopt(2): the options that the proxy sets, by level. */
  private void option() {
    if (table.number("setsockopt").isEmpty()) {
      return;
    }
    int length = 3;
    for (List<Integer> options : CallRules.OPTIONS.values()) {
      length += options.size() + 4;
    }
    add(JUMP_IF_EQUAL, 0, length - 1, table.number("setsockopt").getAsInt());
    load(low(1));
    CallRules.OPTIONS.forEach((level, options) -> {
      add(JUMP_IF_EQUAL, 0, options.size() + 3, level);
      load(low(2));
      for (int i = 0; i < options.size(); i++) {
        add(JUMP_IF_EQUAL, options.size() - i, 0, options.get(i));
      }
      add(RETURN, 0, 0, refuse);
      add(RETURN, 0, 0, ALLOW);
    });
    add(RETURN, 0, 0, refuse);
  }

  /** prlimit64(2): of this process (0 too), and without a new limit. */
  private void readsOwnLimit(int pid) {
    if (table.number("prlimit64").isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, 9, table.number("prlimit64").getAsInt());
    load(low(0));
    add(JUMP_IF_EQUAL, 1, 0, 0);
    add(JUMP_IF_EQUAL, 0, 4, pid);
    load(low(2));
    add(JUMP_IF_EQUAL, 0, 2, 0);
    load(high(2));
    add(JUMP_IF_EQUAL, 1, 0, 0);
    add(RETURN, 0, 0, refuse);
    add(RETURN, 0, 0, ALLOW);
  }

  /** clone(2): a thread of this process in no new namespace, and no process. */
  private void newThread() {
    if (table.number("clone").isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, 6, table.number("clone").getAsInt());
    load(low(0));
    add(JUMP_IF_ANY_BIT, 0, 1, CLONE_NEW);
    add(RETURN, 0, 0, refuse);
    add(JUMP_IF_ANY_BIT, 1, 0, CLONE_THREAD);
    add(RETURN, 0, 0, refuse);
    add(RETURN, 0, 0, ALLOW);
  }

  /** The lower half of an argument: both architectures are little-endian. */
  private static int low(int argument) {
    return ARGUMENTS_AT + 8 * argument;
  }

  private static int high(int argument) {
    return low(argument) + 4;
  }
}
