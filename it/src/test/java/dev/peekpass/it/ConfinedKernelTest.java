package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A confined start on kernels that can do less than this one, as a filter of system calls around it
 * makes this one seem: it serves, says what is not in force, and status says so too.
 */
@Tag("processes")
class ConfinedKernelTest {
  private static final String WARNING = " WARN  confinement: ";

  @TempDir private static Path shared;
  @TempDir private Path dir;
  private ConfinedSite site;

  @BeforeEach
  void makeSite() throws IOException {
    site = new ConfinedSite(dir);
    site.receiver("stream", site.socket("shop"));
    site.write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"", site.socket("shop"));
  }

  @AfterEach
  void closeSite() {
    if (site != null) {
      site.close();
    }
  }

  private Running start(String rule) throws IOException {
    List<String> before = new ArrayList<>(List.of(Tool.compile(shared, "outer").toString()));
    before.addAll(List.of(rule.split(" ", -1)));
    before.add("--");
    return site.start("proxy", before);
  }

  private void assertServes(Running proxy) throws IOException {
    assertThat(ConfinedSite.get(proxy.port(0), "shop.test")).contains("hello 127.0.0.1");
    assertThat(site.ask("reload")).startsWith("{\"ok\":true");
    ConfinedSite.assertIsUser(ConfinedSite.pid(proxy), ConfinedSite.DAEMON);
    assertThat(proxy.stop()).as(proxy.errors()).isZero();
    assertThat(site.admin()).doesNotExist();
  }

  /** Before Linux 4.14, and in gVisor, the kernel cannot log what is refused. */
  @ParameterizedTest
  @CsvSource({"22"})
  void withoutLinesInTheLogSystemCallsAreFilteredAllTheSame(int errno) throws Exception {
    Running proxy = start("errno seccomp 1 2 2 " + errno);
    assertThat(proxy.errors())
        .contains("confined from here: system calls: enforced")
        .doesNotContain("not filtered");
    // Those around it, that without clone3, and ours.
    assertThat(ConfinedSite.ofAllThreads(ConfinedSite.pid(proxy), "Seccomp_filters"))
        .hasSize(1)
        .allSatisfy(filters -> assertThat(Integer.parseInt(filters)).isGreaterThanOrEqualTo(3));
    String status = site.ask("status");
    assertThat(status).contains("\"calls\":\"enforced\"");
    assertThat(status.replaceAll("(?s).*\"threads\":(\\d+),\"filtered\":(\\d+),.*", "$1=$2"))
        .matches("(\\d+)=\\1");
    assertServes(proxy);
  }

  /** ENOSYS: not built in. EINVAL: built without filters. */
  @ParameterizedTest
  @CsvSource({"38, ENOSYS", "22, EINVAL"})
  void thatSystemCallsCannotBeFilteredIsSaid(int errno, String name) throws Exception {
    Running proxy = start("errno seccomp 0 0xffffffff 1 " + errno);
    String lack = "system calls are not filtered: " + name;
    assertThat(proxy.errors())
        .contains("confined from here: system calls: none; files and ports: Landlock ")
        .contains(WARNING + lack);
    // The filter around it is none of the proxy's, and says nothing about it.
    assertThat(site.ask("status"))
        .contains("\"calls\":\"none\"", "\"filtered\":0,", "\"lacks\":[\"" + lack + "\"]");
    assertServes(proxy);
  }

  /** ENOSYS: not built in. EOPNOTSUPP: not switched on. */
  @ParameterizedTest
  @CsvSource({"38, ENOSYS", "95, EOPNOTSUPP"})
  void thatFilesCannotBeConfinedIsSaid(int errno, String name) throws Exception {
    Running proxy = start("errno landlock_create_ruleset 2 0xffffffff 1 " + errno);
    String lack = "files and ports are not confined: this kernel has no Landlock";
    assertThat(proxy.errors())
        .contains("confined from here: system calls: enforced; files and ports: not confined")
        .contains(WARNING + lack)
        .contains("(lsm=): " + name);
    assertThat(site.ask("status"))
        .contains("\"calls\":\"enforced\",\"landlock\":0,", "\"lacks\":[\"" + lack);
    assertServes(proxy);
  }

  /** Each refuses what it does not know, as those kernels do. */
  @ParameterizedTest
  @CsvSource({"1", "3", "5"})
  void anOlderLandlockConfinesWhatItKnowsAndTheRestIsSaid(int version) throws Exception {
    Assumptions.assumeTrue(
        dev.peekpass.linux.ProcessCalls.landlockVersion() >= version,
        "SKIPPED: this kernel's Landlock is older than that");
    Running proxy = start("landlock " + version);
    assertThat(proxy.errors())
        .contains("system calls: enforced; files and ports: Landlock " + version)
        .contains("confinement: signals and abstract UNIX sockets are not confined: Linux 6.12");
    String status = site.ask("status");
    assertThat(status)
        .contains("\"landlock\":" + version + ",")
        .contains("signals and abstract UNIX sockets are not confined");
    if (version < 4) {
      assertThat(status).contains("TCP ports are not confined: Linux 6.7 would");
      assertThat(status).doesNotContain("\"ports\":");
    } else {
      assertThat(status).contains("\"ports\":[\"0\"],\"connects\":false");
    }
    assertServes(proxy);
  }
}
