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
 * one that needs no look at arguments?   allow     the hot ones first
 * socket, clone, ioctl, …?               by their arguments
 * one that is told?                      tell
 * else                                   refuse
 * }</pre>
 *
 * What is decided by number alone the kernel decides once, when the filter is put in force, and
 * keeps in a bitmap: it costs a call next to nothing.
 */
public final class CallFilter {
  // linux/bpf_common.h
  static final int LOAD_WORD = 0x20;
  static final int JUMP = 0x05;
  static final int JUMP_IF_EQUAL = 0x15;
  static final int JUMP_IF_AT_LEAST = 0x35;
  static final int JUMP_IF_ANY_BIT = 0x45;
  static final int RETURN = 0x06;

  // struct seccomp_data, linux/seccomp.h
  static final int NUMBER_AT = 0;
  static final int ARCH_AT = 4;
  private static final int ARGUMENTS_AT = 16;

  // linux/seccomp.h
  static final int ALLOW = 0x7FFF_0000;
  static final int LOG = 0x7FFC_0000;
  static final int TELL = 0x7FC0_0000;
  private static final int ERRNO = 0x0005_0000;
  static final int REFUSE = ERRNO | Errno.EPERM;
  static final int NOT_THERE = ERRNO | Errno.ENOSYS;

  // clone(2)
  private static final int CLONE_THREAD = 0x0001_0000;
  private static final int CLONE_NEW = 0x7E02_0000;

  /** Its arguments are in memory, where a filter cannot look. */
  private static final String CLONE3 = "clone3";

  /** How many comparisons jump to one instruction; a jump reaches 255. */
  private static final int GROUP = 200;

  private final SystemCallTable table;
  private final int refuse;
  private final int tell;
  private final List<Instruction> program = new ArrayList<>();

  private CallFilter(SystemCallTable table, int refuse, int tell) {
    this.table = table;
    this.refuse = refuse;
    this.tell = tell;
  }

  /**
   * A program of one rule, to be put in force before the other and without SECCOMP_FILTER_FLAG_LOG:
   * the C library tries clone3 for each new thread, and the kernel's log should not have a line for
   * each. The other lets it through, so that this one's answer holds.
   */
  public static List<Instruction> withoutClone3(SystemCallTable table) {
    CallFilter filter = new CallFilter(table, REFUSE, REFUSE);
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
   * @param told whether somebody answers the calls that are told; else they are refused at once
   * @param pid of the process that gets it, the only one to which it may send signals
   */
  public static List<Instruction> program(
      SystemCallTable table, boolean audit, boolean told, int pid) {
    int refuse = audit ? LOG : REFUSE;
    return new CallFilter(table, refuse, told && !audit ? TELL : refuse).build(pid);
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
    List<String> allowed = new ArrayList<>(CallRules.HOT);
    allowed.addAll(CallRules.ALLOWED);
    allowed.add(CLONE3);
    decide(allowed, ALLOW);
    oneOf("socket", 0, CallRules.FAMILIES);
    oneOf("socketpair", 0, CallRules.FAMILIES);
    oneOf("ioctl", 1, CallRules.IOCTLS);
    oneOf("prctl", 0, CallRules.PRCTLS);
    oneOf("tgkill", 0, List.of(pid));
    oneOf("kill", 0, List.of(pid));
    readsOwnLimit(pid);
    newThread();
    decide(CallRules.TOLD, tell);
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

  /** clone(2): a thread of this process in no new namespace; another process is told. */
  private void newThread() {
    if (table.number("clone").isEmpty()) {
      return;
    }
    add(JUMP_IF_EQUAL, 0, 6, table.number("clone").getAsInt());
    load(low(0));
    add(JUMP_IF_ANY_BIT, 0, 1, CLONE_NEW);
    add(RETURN, 0, 0, refuse);
    add(JUMP_IF_ANY_BIT, 1, 0, CLONE_THREAD);
    add(RETURN, 0, 0, tell);
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
