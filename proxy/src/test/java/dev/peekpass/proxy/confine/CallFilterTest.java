package dev.peekpass.proxy.confine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.SeccompFilter;
import dev.peekpass.linux.SeccompFilter.Instruction;
import dev.peekpass.linux.SystemCallTable;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The program of the filter, as the kernel would run it. */
class CallFilterTest {
  private static final int PID = 4711;

  /** linux/sched.h: what glibc asks for when it makes a thread. */
  private static final long THREAD_FLAGS = 0x3D_0F00L;

  private static SystemCallTable table(String arch) {
    return SystemCallTable.of(arch).orElseThrow();
  }

  /** Interprets a program, checking what the kernel's verifier checks. */
  private static int run(List<Instruction> program, int arch, int number, long... arguments) {
    assertThat(program.size()).isLessThanOrEqualTo(SeccompFilter.MAX_INSTRUCTIONS);
    int accumulator = 0;
    int at = 0;
    while (true) {
      Instruction one = program.get(at++);
      assertThat(one.jumpTrue()).isBetween(0, 255);
      assertThat(one.jumpFalse()).isBetween(0, 255);
      boolean holds;
      switch (one.code()) {
        case CallFilter.LOAD_WORD -> {
          accumulator = load(one.operand(), arch, number, arguments);
          continue;
        }
        case CallFilter.AND -> {
          accumulator &= one.operand();
          continue;
        }
        case CallFilter.JUMP -> {
          at += one.operand();
          continue;
        }
        case CallFilter.RETURN -> {
          return one.operand();
        }
        case CallFilter.JUMP_IF_EQUAL -> holds = accumulator == one.operand();
        case CallFilter.JUMP_IF_AT_LEAST ->
            holds = Integer.compareUnsigned(accumulator, one.operand()) >= 0;
        case CallFilter.JUMP_IF_ANY_BIT -> holds = (accumulator & one.operand()) != 0;
        default -> throw new AssertionError("no such instruction: " + one);
      }
      at += holds ? one.jumpTrue() : one.jumpFalse();
    }
  }

  private static int load(int offset, int arch, int number, long[] arguments) {
    if (offset == CallFilter.NUMBER_AT) {
      return number;
    }
    if (offset == CallFilter.ARCH_AT) {
      return arch;
    }
    int word = (offset - 16) / 4;
    long argument = word / 2 < arguments.length ? arguments[word / 2] : 0;
    return (int) (word % 2 == 0 ? argument : argument >>> 32);
  }

  private static int enforce(String arch, String call, long... arguments) {
    SystemCallTable table = table(arch);
    return run(
        CallFilter.program(table, false, PID),
        table.auditArch(),
        table.number(call).orElseThrow(),
        arguments);
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void whatTheProxyNeedsIsAllowed(String arch) {
    SystemCallTable table = table(arch);
    for (List<String> names : List.of(CallRules.HOT, CallRules.ALLOWED)) {
      for (String name : names) {
        if (table.number(name).isPresent()) {
          assertThat(enforce(arch, name, -1, -1, -1)).as(name).isEqualTo(CallFilter.ALLOW);
        }
      }
    }
  }

  /** With an answer of a process in it, code in that process could let calls through. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void nobodyIsAskedAndAuditAllowsAll(boolean audit) {
    for (Instruction one : CallFilter.program(table("amd64"), audit, PID)) {
      if (one.code() == CallFilter.RETURN) {
        assertThat(one.operand())
            .isIn(
                audit
                    ? List.of(CallFilter.ALLOW, CallFilter.LOG)
                    : List.of(CallFilter.ALLOW, CallFilter.REFUSE, CallFilter.NOT_THERE));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void everyNumberThatIsNotNamedIsRefused(String arch) {
    SystemCallTable table = table(arch);
    List<Instruction> program = CallFilter.program(table, false, PID);
    for (int number = 0; number <= table.newest(); number++) {
      if (table.name(number).startsWith("system call ")) {
        assertThat(run(program, table.auditArch(), number))
            .as("%d", number)
            .isEqualTo(CallFilter.REFUSE);
      }
    }
  }

  /** Who tries a new call goes on with an old one at ENOSYS, and may give up at EPERM. */
  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void whatIsNewerThanTheTableIsNotThere(String arch) {
    SystemCallTable table = table(arch);
    for (int number = table.newest() + 1; number < 1000; number++) {
      assertThat(run(CallFilter.program(table, false, PID), table.auditArch(), number))
          .isEqualTo(CallFilter.NOT_THERE);
      assertThat(run(CallFilter.program(table, true, PID), table.auditArch(), number))
          .isEqualTo(CallFilter.LOG);
    }
    assertThat(run(CallFilter.program(table, false, PID), table.auditArch(), -1))
        .isNotEqualTo(CallFilter.ALLOW);
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void argumentsDecideWhereTheyMatter(String arch) {
    assertThat(enforce(arch, "tgkill", PID, 1, 2)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "tgkill", PID + 1, 1, 2)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "kill", PID, 15)).isEqualTo(CallFilter.ALLOW);
    for (long other : new long[] {0, -1, -PID, 1, PID - 1}) {
      assertThat(enforce(arch, "kill", other, 9)).isEqualTo(CallFilter.REFUSE);
    }
    assertThat(enforce(arch, "ioctl", 3, 0x541B)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "ioctl", 3, 0x5412)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "prctl", 15)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "prctl", 4)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "prlimit64", 0, 7, 0, 0x7f00_0000_0000L)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "prlimit64", PID, 7, 0, 1)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "prlimit64", 1, 7, 0, 1)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "prlimit64", 0, 7, 0x7f00_0000_0000L, 0)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "prlimit64", 0, 7, 16, 0)).isEqualTo(CallFilter.REFUSE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void socketsAreLocalOrTcp(String arch) {
    for (int family = 0; family < 50; family++) {
      for (int type = 0; type < 16; type++) {
        for (int protocol : new int[] {0, 1, 6, 17, 132, 262}) {
          boolean tcp =
              (family == 2 || family == 10) && type == 1 && (protocol == 0 || protocol == 6);
          int answer = family == 1 || tcp ? CallFilter.ALLOW : CallFilter.REFUSE;
          assertThat(enforce(arch, "socket", family, type, protocol)).isEqualTo(answer);
          // SOCK_CLOEXEC and SOCK_NONBLOCK. The kernel takes an int: what is above does not count.
          assertThat(enforce(arch, "socket", family | 7L << 32, type | 0x80800, protocol))
              .isEqualTo(answer);
        }
      }
      int pair = family == 1 ? CallFilter.ALLOW : CallFilter.REFUSE;
      assertThat(enforce(arch, "socketpair", family)).isEqualTo(pair);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void flagsOptionsAndModesAreLookedAt(String arch) {
    assertThat(enforce(arch, "sendmsg", 3, 8, 0x4040)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "sendmsg", 3, 8, 0x2000_4040)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "sendto", 3, 8, 4, 0x4040)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "sendto", 3, 8, 0x2000_0000, 0)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "sendto", 3, 8, 4, 0x2000_0000)).isEqualTo(CallFilter.REFUSE);
    for (int level = 0; level < 300; level++) {
      for (int option = 0; option < 100; option++) {
        boolean known = CallRules.OPTIONS.getOrDefault(level, List.of()).contains(option);
        assertThat(enforce(arch, "setsockopt", 3, level, option))
            .isEqualTo(known ? CallFilter.ALLOW : CallFilter.REFUSE);
      }
    }
    assertThat(enforce(arch, "fcntl", 3, 1030, 0)).isEqualTo(CallFilter.ALLOW);
    for (int command : new int[] {8, 10, 15, 1024, 1026}) {
      assertThat(enforce(arch, "fcntl", 3, command, 0)).isEqualTo(CallFilter.REFUSE);
    }
    assertThat(enforce(arch, "fchmodat", -100, 8, 0600)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "fchmodat", -100, 8, 04755)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "fchmod", 3, 0666)).isEqualTo(CallFilter.REFUSE);
  }

  @ParameterizedTest
  @ValueSource(strings = {"amd64", "aarch64"})
  void cloneMakesThreadsOnly(String arch) {
    assertThat(enforce(arch, "clone", THREAD_FLAGS)).isEqualTo(CallFilter.ALLOW);
    assertThat(enforce(arch, "clone", 17)).isEqualTo(CallFilter.REFUSE);
    assertThat(enforce(arch, "clone", 0x4111)).as("vfork").isEqualTo(CallFilter.REFUSE);
    for (long space :
        new long[] {
          0x2_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
        }) {
      assertThat(enforce(arch, "clone", THREAD_FLAGS | space)).isEqualTo(CallFilter.REFUSE);
      assertThat(enforce(arch, "clone", 17 | space)).isEqualTo(CallFilter.REFUSE);
    }
    SystemCallTable table = table(arch);
    List<Instruction> before = CallFilter.withoutClone3(table);
    int clone3 = table.number("clone3").orElseThrow();
    assertThat(run(before, table.auditArch(), clone3)).isEqualTo(CallFilter.NOT_THERE);
    assertThat(run(before, table.auditArch(), clone3 + 1)).isEqualTo(CallFilter.ALLOW);
  }

  @Test
  void anotherArchitectureAndX32AreRefused() {
    SystemCallTable table = table("amd64");
    List<Instruction> program = CallFilter.program(table, false, PID);
    int i386 = 0x40000003;
    assertThat(run(program, i386, 3)).isEqualTo(CallFilter.REFUSE);
    assertThat(run(program, table.auditArch(), SystemCallTable.X32_BIT | 3))
        .isEqualTo(CallFilter.REFUSE);
    assertThat(SystemCallTable.of("riscv64")).isEmpty();
  }

  /** The kernel caches what it decides by number alone; so those must come before any argument. */
  @Test
  void theHotCallsAreDecidedByTheirNumberAlone() {
    SystemCallTable table = table("amd64");
    for (String name : CallRules.HOT) {
      if (table.number(name).isEmpty()) {
        continue;
      }
      List<Instruction> program = CallFilter.program(table, false, PID);
      int steps = 0;
      int at = 0;
      int loads = 0;
      int accumulator = 0;
      while (program.get(at).code() != CallFilter.RETURN) {
        Instruction one = program.get(at++);
        steps++;
        if (one.code() == CallFilter.LOAD_WORD) {
          loads++;
          accumulator =
              one.operand() == CallFilter.ARCH_AT
                  ? table.auditArch()
                  : table.number(name).getAsInt();
        } else if (one.code() == CallFilter.JUMP_IF_AT_LEAST) {
          at += one.jumpFalse();
        } else {
          at += accumulator == one.operand() ? one.jumpTrue() : one.jumpFalse();
        }
      }
      assertThat(loads).as(name).isEqualTo(2);
      assertThat(steps).as(name.toLowerCase(Locale.ROOT)).isLessThan(20);
    }
  }
}
