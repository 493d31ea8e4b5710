package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The proxy starts, and confines itself, under the unit that docs/operations.md prints: beside what
 * {@code @system-service} of systemd.exec(5) allows it needs the calls of {@code @sandbox}, for
 * which systemd would kill it.
 */
@Tag("processes")
class SystemdUnitTest {
  /** What is in no set of systemd before 254, and in {@code @sandbox} since; numbers of x86-64. */
  private static final Map<String, Integer> SANDBOX =
      Map.of(
          "seccomp", 317,
          "landlock_create_ruleset", 444,
          "landlock_add_rule", 445,
          "landlock_restrict_self", 446);

  /** Kills whoever makes one of some system calls, as a unit's filter does. */
  private static final String KILLS =
      """
      import ctypes, os, struct, sys
      steps = [(0x20, 0, 0, 0)]
      for number in filter(None, sys.argv[1].split(",")):
          steps += [(0x15, 0, 1, int(number)), (0x06, 0, 0, 0x80000000)]
      steps.append((0x06, 0, 0, 0x7fff0000))
      code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
      program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
      libc = ctypes.CDLL(None, use_errno=True)
      assert libc.prctl(38, 1, 0, 0, 0) == 0
      assert libc.prctl(22, 2, program, 0, 0) == 0
      os.execvp(sys.argv[2], sys.argv[2:])
      """;

  @TempDir private Path dir;

  @Test
  void theProxyStartsUnderItsSystemCallFilter() throws Exception {
    requireX86();
    try (Running proxy = begin(killedFor(documented("SystemCallFilter=")))) {
      assertThat(proxy.port(0)).isPositive();
      assertThat(proxy.errors()).contains("confined from here").doesNotContain("not confined");
    }
  }

  @Test
  void withSystemServiceAloneItWouldBeKilled() throws Exception {
    requireX86();
    try (Running proxy = begin(killedFor(Set.of("@system-service")))) {
      assertThat(proxy.await()).as("SIGSYS").isEqualTo(128 + 31);
    }
  }

  private static void requireX86() {
    Tool.require("python3");
    Assumptions.assumeTrue(
        System.getProperty("os.arch").equals("amd64"), "SKIPPED: the numbers are of x86-64");
  }

  private static Set<String> documented(String key) throws IOException {
    String line =
        Files.readAllLines(Running.ROOT.resolve("docs/operations.md")).stream()
            .filter(each -> each.startsWith(key))
            .findFirst()
            .orElseThrow();
    return new LinkedHashSet<>(Arrays.asList(line.substring(key.length()).split(" ")));
  }

  private static String killedFor(Set<String> allowed) {
    return SANDBOX.entrySet().stream()
        .filter(call -> !allowed.contains(call.getKey()))
        .map(call -> call.getValue().toString())
        .collect(Collectors.joining(","));
  }

  private Running begin(String killedFor) throws IOException {
    Path script = dir.resolve("kills.py");
    Files.writeString(script, KILLS);
    Path file = dir.resolve("peekpass.yaml");
    Files.writeString(
        file,
        Running.withAdmin(
            dir,
            """
            listeners: [ { bind: "127.0.0.1:0" } ]
            fallback: { reject: close }
            """));
    return Running.start(
        dir,
        "proxy",
        List.of(
            "python3",
            script.toString(),
            killedFor,
            Running.ROOT.resolve("peekpass").toString(),
            "run",
            "-c",
            file.toString()));
  }
}
