package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** All that a proxy does beside passing connections on, done by one that is confined. */
@Tag("processes")
class ConfinedServingTest {
  /** How many connections linger; each for half a minute, if no signal came. */
  private static final int LINGERING = 10;

  /** That to the receiver whose connections linger; and what probes have open now and then. */
  private static final int OWN_CHANNELS = 5;

  private static final List<String> METHODS =
      List.of("once", "persistent", "datagram", "acknowledged");

  @TempDir private Path dir;
  private ConfinedSite site;

  @BeforeEach
  void makeSite() throws IOException {
    site = new ConfinedSite(dir);
  }

  @AfterEach
  void closeSite() {
    if (site != null) {
      site.close();
    }
  }

  /**
   * Each method, probes by HTTP and TLS, the service manager's socket, a configuration that is read
   * once, and close(2) that waits: as root's start serves, and as it serves who is not root.
   */
  @ParameterizedTest
  @ValueSource(strings = {"root", "daemon"})
  void everyMethodProbesNoticesAndSignalsWork(String who) throws Exception {
    boolean root = who.equals("root");
    Tool.require("openssl");
    site.receiver("stream", site.socket("once"));
    site.receiver("stream", site.socket("persistent"));
    site.receiver("datagram", site.socket("datagram"));
    site.receiver("acknowledged", site.socket("acknowledged"));
    TestCertificate certificate = TestCertificate.make(dir, "tls.test");
    Running tls =
        site.script(
            "tls-receiver.py",
            site.socket("tls"),
            site.socket("tls").toString(),
            certificate.certificate().toString(),
            certificate.key().toString());
    String notify = root ? "@peekpass-test-" + ProcessHandle.current().pid() : dir + "/notify.sock";
    Running manager =
        site.script("notified.py", dir.resolve("notified"), notify, dir.resolve("notified") + "");

    List<String> before =
        new ArrayList<>(List.of("env", "NOTIFY_SOCKET=" + notify, "WATCHDOG_USEC=200000"));
    if (Running.run(dir, "env", "--block-signal=URG", "true").status() == 0) {
      // As who starts it may have it; else this is not tried here (LingerTest tries it, too).
      before.add(1, "--block-signal");
    }
    if (!root) {
      before.addAll(List.of("setpriv", "--reuid=1", "--regid=1", "--clear-groups"));
    }
    site.write((root ? ConfinedSite.AS_DAEMON : "") + yaml());
    before.addAll(
        List.of(
            "sh",
            "-c",
            "exec \"$0\" run -c - <\"$1\"",
            ConfinedSite.program().toString(),
            site.etc.resolve("peekpass.yaml").toString()));
    Running proxy = ConfinedSite.awaitRunning(site.begin("proxy", before));
    ConfinedSite.assertIsUser(proxy.process.pid(), ConfinedSite.DAEMON);
    int port = proxy.port(0);
    for (String method : METHODS) {
      for (int i = 0; i < 3; i++) {
        assertThat(ConfinedSite.get(port, method + ".test")).as(method).contains("hello 127.0.0.1");
      }
    }
    Running.await("it probes", () -> status().contains("unhealthy"));
    String status = status();
    assertThat(state(status, "wrong")).contains("unhealthy");
    assertThat(state(status, "persistent")).doesNotContain("unhealthy");
    // It is the answer that it does not like.
    assertThat(proxy.errors()).containsPattern("WARN .*wrong.* 200");
    Running.await("it shakes hands", () -> tls.output().lines().count() >= 3);
    assertThat(tls.output()).contains("handshake TLSv1.3");
    assertThat(state(status(), "tls")).doesNotContain("unhealthy");

    String said = "pid " + proxy.process.pid() + " uid 1: ";
    Running.await("it is alive", () -> manager.output().contains(said + "WATCHDOG=1"));
    assertThat(manager.output())
        .contains(said + "READY=1 MAINPID=" + proxy.process.pid() + " STATUS=Listening on");

    assertThat(site.ask("reload")).contains("standard input cannot be read again");
    assertClosesAreInterrupted(proxy, port);
    assertThat(site.ask("reload")).contains("standard input cannot be read again");
    assertThat(ConfinedSite.get(port, "acknowledged.test")).contains("hello");
    assertThat(proxy.stop()).as(proxy.errors()).isZero();
    Running.await("it says that it stops", () -> manager.output().contains(said + "STOPPING=1"));
    assertThat(site.admin()).doesNotExist();
    // Some kernels want CAP_NET_ADMIN for that one, which is said and no fault.
    assertThat(proxy.errors().replaceAll(".*SO_ATTACH_FILTER: EPERM.*", ""))
        .doesNotContain("sd_notify", "a fault in", "EPERM", "EACCES");
    assertNothingWasRefused(proxy.process.pid());
  }

  private String yaml() {
    StringBuilder yaml = new StringBuilder("listeners: [ { bind: \"127.0.0.1:0\" } ]\nbackends:\n");
    String often = "every: 100ms, rise: 1, fall: 1";
    for (String method : METHODS) {
      String probe =
          method.equals("persistent")
              ? ", probe: { http: { host: persistent.test }, " + often + " }"
              : "";
      yaml.append(backend(method, site.socket(method), ", method: " + method + probe));
    }
    String wrong = "http: { host: wrong.test, expect-status: 404 }, ";
    yaml.append(backend("wrong", site.socket("persistent"), ", probe: { " + wrong + often + " }"));
    String tls = "tls: { server-name: tls.test }, ";
    yaml.append(backend("tls", site.socket("tls"), ", probe: { " + tls + often + " }"));
    yaml.append(backend("evil", site.socket("evil"), ", method: acknowledged, trust: never"));
    yaml.append("routes:\n");
    METHODS.forEach(name -> yaml.append(route(name)));
    return yaml.append(route("wrong")).append(route("tls")).append(route("evil")).toString();
  }

  private static String backend(String name, Path socket, String more) {
    return "  %s: { handoff: \"unix:%s\"%s }\n".formatted(name, socket, more);
  }

  private static String route(String name) {
    return "  - { host: %s.test, backend: %s }\n".formatted(name, name);
  }

  private String status() {
    try {
      return site.ask("status");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** What a status says of a backend. */
  private static String state(String status, String backend) {
    return status.replaceAll("(?s).*\\{\"name\":\"" + backend + "\"(.*?)\\]\\}.*", "$1");
  }

  /** A signal ends each; else they would take minutes, one after the other. */
  private void assertClosesAreInterrupted(Running proxy, int port) throws IOException {
    long before = descriptors(proxy);
    Running evil =
        site.script(
            "lingers.py",
            site.socket("evil"),
            site.socket("evil").toString(),
            "acknowledged",
            "" + port,
            "evil.test",
            "" + LINGERING,
            "stay");
    evil.awaitOutput("it has had its rounds", () -> evil.output().contains("done"));
    long began = System.nanoTime();
    // Those that wait for the one that is being closed are open.
    Running.await("all are closed", () -> descriptors(proxy) <= before + OWN_CHANNELS);
    assertThat((System.nanoTime() - began) / 1_000_000_000).as("seconds").isLessThan(25);
    assertThat(site.counter("closed-aside")).isGreaterThanOrEqualTo(LINGERING);
  }

  private static long descriptors(Running proxy) {
    try {
      return ConfinedSite.descriptors(proxy.process.pid());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** What the filter of system calls refuses is a line in the kernel's log, if that can be read. */
  private void assertNothingWasRefused(long pid) throws IOException {
    Running.Done log = Running.run(dir, "dmesg");
    if (log.status() != 0) {
      System.err.println("SKIPPED: the kernel's log cannot be read: " + log.errors().strip());
      return;
    }
    assertThat(
            log.output()
                .lines()
                .filter(line -> line.contains("type=1326") && line.contains(" pid=" + pid + " ")))
        .isEmpty();
  }

  /** Rules of Landlock are about directories as they were, and none is needed to connect. */
  @Test
  void aBackendsDirectoryMayBeMadeAnewAndTheConfigurationsToo() throws Exception {
    Path app = dir.resolve("app");
    Path socket = app.resolve("app.sock");
    ConfinedSite.open(Files.createDirectory(app), "rwxr-xr-x");
    site.write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"", socket);
    Running first = site.receiver("stream", socket);
    // As a ConfigMap of Kubernetes is: ..data is what changes, all at once.
    configMap("1", Files.readString(site.etc.resolve("peekpass.yaml")));
    Running proxy = site.start("proxy", List.of());
    int port = proxy.port(0);
    assertThat(ConfinedSite.get(port, "shop.test")).contains("hello");

    // As systemd does with the RuntimeDirectory of a service that is restarted.
    first.kill();
    Files.delete(socket);
    Files.delete(app);
    ConfinedSite.open(Files.createDirectory(app), "rwxr-xr-x");
    site.receiver("stream", socket);
    assertThat(ConfinedSite.get(port, "shop.test")).contains("hello");

    configMap("2", Running.read(site.etc.resolve("..1/peekpass.yaml")) + "access-log: true\n");
    Files.delete(site.etc.resolve("..1/peekpass.yaml"));
    Files.delete(site.etc.resolve("..1"));
    assertThat(site.ask("reload")).startsWith("{\"ok\":true");

    // All of the directory anew is another directory: what is in it may not be read.
    Files.move(site.etc, dir.resolve("etc.old"));
    ConfinedSite.open(Files.createDirectory(site.etc), "rwxr-xr-x");
    site.write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"", socket);
    assertThat(site.ask("reload"))
        .contains(
            "may not read the file, since it is confined to what it was started with",
            site.etc + " is not the directory that was there when it started",
            "peekpass run --takeover");
    proxy.awaitOutput(
        "the log says so", () -> proxy.errors().contains("is not the directory that was there"));
    assertThat(ConfinedSite.get(port, "shop.test")).contains("hello");
    Running next = site.start("next", List.of(), "--takeover");
    assertThat(proxy.await()).isZero();
    assertThat(site.ask("reload")).startsWith("{\"ok\":true");
    assertThat(next.stop()).isZero();
  }

  private void configMap(String version, String yaml) throws IOException {
    Path made =
        ConfinedSite.open(Files.createDirectory(site.etc.resolve(".." + version)), "rwxr-xr-x");
    Files.writeString(made.resolve("peekpass.yaml"), yaml);
    Path link = Files.createSymbolicLink(site.etc.resolve("..data_tmp"), made.getFileName());
    Files.move(link, site.etc.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
    Path shown = site.etc.resolve("peekpass.yaml");
    if (!Files.isSymbolicLink(shown)) {
      Files.deleteIfExists(shown);
      Files.createSymbolicLink(shown, Path.of("..data/peekpass.yaml"));
    }
  }

  /** As systemd does with the RuntimeDirectory of the proxy's own service, if it is told to. */
  @Test
  void whenTheAdminSocketsDirectoryIsMadeAnewItServesOnAndEnds() throws Exception {
    site.receiver("stream", site.socket("shop"));
    site.write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"", site.socket("shop"));
    Running proxy = site.start("proxy", List.of());
    Files.delete(site.admin());
    Files.delete(site.run);
    ConfinedSite.open(Files.createDirectory(site.run), "rwxrwxrwx");
    Path others = Files.writeString(site.admin(), "somebody else's");
    assertThat(ConfinedSite.get(proxy.port(0), "shop.test")).contains("hello");
    assertThat(proxy.stop()).isZero();
    assertThat(others).exists();
    assertThat(proxy.errors()).contains("stopped; connections").doesNotContain("fault");
  }

  @Test
  void aFullDiskLosesLinesAndNoConnections() throws Exception {
    Path disk = Files.createDirectories(dir.resolve("disk"));
    Assumptions.assumeTrue(
        Running.run(dir, "mount", "-t", "tmpfs", "-o", "size=8k", "none", disk.toString()).status()
            == 0,
        "SKIPPED: a small disk cannot be mounted here");
    try {
      Path filler = Files.write(disk.resolve("filler"), new byte[4096]);
      Path log = disk.resolve("access.log");
      site.receiver("stream", site.socket("shop"));
      site.write(
          ConfinedSite.AS_DAEMON + "access-log: true", "\"127.0.0.1:0\"", site.socket("shop"));
      List<String> toDisk = List.of("sh", "-c", "exec \"$0\" \"$@\" >>" + log);
      Running proxy = site.start("proxy", toDisk);
      assertThat((int) Files.getAttribute(log, "unix:uid", LinkOption.NOFOLLOW_LINKS)).isZero();
      Running.await("it says where it listens", () -> Running.read(log).endsWith("\n"));
      int port = Integer.parseInt(Running.read(log).replaceAll("(?s).*127.0.0.1:(\\d+)\n.*", "$1"));
      int asked = 0;
      while (site.counter("access-log-failed") < 5) {
        assertThat(ConfinedSite.get(port, "shop.test")).contains("hello");
        asked++;
      }
      proxy.awaitOutput(
          "it says so", () -> proxy.errors().contains("standard output: write: ENOSPC: make room"));
      assertThat(proxy.errors()).containsOnlyOnce("lines lost");
      Files.delete(filler);
      assertThat(ConfinedSite.get(port, "shop.test")).contains("hello");
      Running.await("it is written again", () -> Running.read(log).endsWith("\n"));
      long lost = site.counter("access-log-failed");
      assertThat(proxy.stop()).isZero();
      long lines = Running.read(log).lines().filter(line -> line.contains("client=")).count();
      assertThat(lines).isEqualTo(asked + 1 - lost);
    } finally {
      Running.run(dir, "umount", "-l", disk.toString());
    }
  }
}
