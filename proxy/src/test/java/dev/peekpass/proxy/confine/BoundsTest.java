package dev.peekpass.proxy.confine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.ConfinementMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BoundsTest {
  private static final String PROBE =
      """
      backends:
        a: { handoff: "unix:/run/a.sock", method: datagram, probe: { http: { host: a.test } } }
      fallback: a
      """;

  private static Configuration configuration(String ports, String more) {
    StringBuilder yaml = new StringBuilder("listeners:\n");
    for (String port : ports.split(" ", -1)) {
      yaml.append("  - { bind: \"127.0.0.1:").append(port).append("\" }\n");
    }
    return switch (ConfigurationReader.read("a.yaml", yaml + more)) {
      case ConfigurationReader.Valid(Configuration valid, var warnings) -> valid;
      case ConfigurationReader.Mistakes(var mistakes, _) -> throw new AssertionError(mistakes);
    };
  }

  private static Bounds bounds(Configuration first) {
    return new Bounds(
        ConfinementMode.ENFORCE,
        7,
        Optional.of(Bounds.portsOf(first)),
        Bounds.probes(first),
        List.of(),
        List.of());
  }

  @Test
  void whatNeedsNoMoreIsNotRefused() {
    Bounds bounds = bounds(configuration("80 443", ""));
    assertThat(bounds.refusal(configuration("443", ""))).isEmpty();
    assertThat(bounds.refusal(configuration("80 443", ""))).isEmpty();
    assertThat(Bounds.NONE.refusal(configuration("1 2 3", PROBE))).isEmpty();
  }

  @Test
  void anotherPortIsRefusedWithTheRemedy() {
    Bounds bounds = bounds(configuration("80 443", ""));
    assertThat(bounds.refusal(configuration("80 8443 22", "")).orElseThrow())
        .contains("port 22, 8443, and it may bind 80, 443 only", "--takeover");
    assertThat(bounds.refusal(configuration("0", "")).orElseThrow())
        .contains("port 0 (any free one)");
  }

  @Test
  void probesNeedConnections() {
    Bounds without = bounds(configuration("80", ""));
    assertThat(without.refusal(configuration("80", PROBE)).orElseThrow())
        .contains("TCP connections for probe")
        .doesNotContain("port");
    assertThat(bounds(configuration("80", PROBE)).refusal(configuration("80", PROBE))).isEmpty();
  }

  @Test
  void ofASharedDirectoryOnlyTheFileIsRead() {
    assertThat(FileRules.forReload(Path.of("/etc/peekpass.yaml"), "/root", true))
        .isEqualTo("/etc/peekpass.yaml");
    assertThat(FileRules.forReload(Path.of("/etc/peekpass.yaml"), "/root", false))
        .isEqualTo("/etc");
    assertThat(FileRules.forReload(Path.of("/etc/peekpass/a.yaml"), "/root", true))
        .isEqualTo("/etc/peekpass");
    assertThat(FileRules.forReload(Path.of("/home/me/a.yaml"), "/home/me", false))
        .isEqualTo("/home/me/a.yaml");
    // Started by another, who has another home.
    assertThat(FileRules.forReload(Path.of("/home/me/a.yaml"), "/root", true))
        .isEqualTo("/home/me/a.yaml");
    assertThat(FileRules.forReload(Path.of("/a.yaml"), "/root", false)).isEqualTo("/a.yaml");
  }

  @Test
  void rightsAreThoseThatAVersionKnows() {
    assertThat(FileAccess.all(1)).isEqualTo(0x1FFF);
    assertThat(FileAccess.all(2)).isEqualTo(0x3FFF);
    assertThat(FileAccess.all(3)).isEqualTo(0x7FFF);
    assertThat(FileAccess.all(7)).isEqualTo(0xFFFF);
    assertThat(FileAccess.ofFile(FileAccess.READ)).isEqualTo(FileAccess.READ_FILE);
  }

  @Test
  void threadsAreReadAsTheKernelSaysThem(@TempDir Path tasks) throws Exception {
    for (int i = 1; i <= 2; i++) {
      Files.writeString(
          Files.createDirectories(tasks.resolve("" + i)).resolve("status"),
          """
          Name:\tx
          Uid:\t1\t65534\t1\t1
          Gid:\t2\t3\t2\t2
          Groups:\t3 4\s
          CapEff:\t0000000000000000
          CapBnd:\t00000000000000%d0
          NoNewPrivs:\t1
          Seccomp:\t%d
          """
              .formatted(i, i));
    }
    assertThat(ThreadFacts.read(tasks, 2))
        .isEqualTo(
            new ThreadFacts(
                2,
                "65534",
                "3",
                "3 4",
                "0000000000000000",
                "0000000000000010/0000000000000020",
                true,
                1));
  }

  /** A container's filter is not the proxy's. */
  @Test
  void onlyThreadsWithAsManyFiltersAsAreAskedForAreFiltered(@TempDir Path tasks) throws Exception {
    for (int i = 1; i <= 4; i++) {
      Files.writeString(
          Files.createDirectories(tasks.resolve("" + i)).resolve("status"),
          "Seccomp:\t%d\nSeccomp_filters:\t%d\n".formatted(i > 1 ? 2 : 0, i - 1));
    }
    assertThat(ThreadFacts.read(tasks, 1).filtered()).isEqualTo(3);
    assertThat(ThreadFacts.read(tasks, 2).filtered()).isEqualTo(2);
    assertThat(ThreadFacts.read(tasks, 4).filtered()).isZero();
  }
}
