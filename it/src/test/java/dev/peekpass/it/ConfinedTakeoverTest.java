package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Takeovers of confined proxies whose one side is killed at each step, and chains of them with
 * other users each time. The steps are system calls, of which a program around the new proxy is
 * told.
 */
@Tag("processes")
class ConfinedTakeoverTest {
  private static final String HOST = "shop.test";
  private static final List<String> UNPRIVILEGED =
      List.of("setpriv", "--reuid=1", "--regid=1", "--clear-groups");

  /** Where the new process ends, and what the old one says of it then. */
  private static final List<List<String>> STEPS =
      List.of(
          // The first program: before it asks, when it is answered, before it gives up what it has,
          // when it has, and as it becomes the second.
          List.of("sendto 1 1 takeover", ""),
          List.of("recvmsg 1 1 ", "given up: "),
          List.of("memfd_create 0 1 ", "given up: it ended before it was ready"),
          List.of("landlock_restrict_self 0 1 ", "given up: it ended before it was ready"),
          List.of("execve 0 2 /bin/java", "given up: it ended before it was ready"),
          // The second: before it is confined, in the middle of that, before it says that it is
          // ready, and when it accepts, before it says so.
          List.of("seccomp 2 1 ", "given up: it ended before it was ready"),
          List.of("seccomp 2 2 ", "given up: it ended before it was ready"),
          List.of("sendto 1 1 ready", "given up: it ended before it was ready"),
          List.of("sendto 1 1 accepting", "given up: it ended before it accepted"));

  @TempDir private static Path built;
  @TempDir private Path dir;
  private ConfinedSite site;

  @BeforeEach
  void makeSite() throws IOException {
    site = new ConfinedSite(dir);
    site.receiver("stream", site.socket("shop"));
  }

  @AfterEach
  void closeSite() {
    if (site != null) {
      site.close();
    }
  }

  private Path write(String keys, String bind) throws IOException {
    return site.write(keys, bind, site.socket("shop"));
  }

  private static List<String> around(String rule) throws IOException {
    List<String> before = new ArrayList<>(List.of(Tool.compile(built, "outer").toString()));
    before.addAll(List.of(rule.split(" ", -1)));
    before.add("--");
    return before;
  }

  @Test
  void aNewProxyThatIsKilledAtAnyStepCostsTheOldOneNothing() throws Exception {
    write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"");
    Running old = site.start("old", List.of());
    long pid = old.process.pid();
    int port = old.port(0);
    assertThat(ConfinedSite.get(port, HOST)).contains("hello");
    assertThat(site.ask("status")).contains("\"pid\":" + pid);
    long descriptors = ConfinedSite.descriptors(pid);
    try (Load load = new Load(port, HOST, "\n")) {
      for (List<String> step : STEPS) {
        if (step.getFirst().contains("accepting")) {
          // What that one has accepted goes with it.
          load.stop();
          assertThat(load.failures()).isEmpty();
        }
        int said = old.errors().length();
        Running young =
            site.begin("young", site.command(around("kill " + step.getFirst()), "--takeover"));
        assertThat(young.await()).as(step + young.errors()).isEqualTo(128 + 9);
        assertThat(young.errors()).as(step.getFirst()).endsWith("outer: killed\n");
        old.awaitOutput(
            step.getFirst(), () -> old.errors().substring(said).contains(step.getLast()));
        assertThat(site.ask("status")).as(step.getFirst()).contains("\"pid\":" + pid);
        // Not before that takeover is over.
        Running.await(step.getFirst(), () -> reload().startsWith("{\"ok\":true"));
        assertThat(ConfinedSite.get(port, HOST)).contains("hello");
      }
    }
    Running.await("no descriptor is left", () -> count(pid) <= descriptors);
    assertThat(count(pid)).isEqualTo(descriptors);
    Running next = site.start("next", List.of(), "--takeover");
    assertThat(old.await()).as(old.errors()).isZero();
    assertThat(ConfinedSite.get(port, HOST)).contains("hello");
    ConfinedSite.assertIsUser(next.process.pid(), ConfinedSite.DAEMON);
    assertThat(next.stop()).isZero();
    assertThat(site.admin()).doesNotExist();
  }

  private String reload() {
    try {
      return site.ask("reload");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static long count(long pid) {
    try {
      return ConfinedSite.descriptors(pid);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Then the new one goes on, with what it has been given: nothing else would serve. */
  @ParameterizedTest
  @ValueSource(strings = {"landlock_restrict_self 0 1 ", "sendto 1 1 ready"})
  void anOldProxyThatIsKilledMeanwhileIsReplaced(String step) throws Exception {
    write("user: root", "\"127.0.0.1:0\"");
    Running old = site.start("old", List.of());
    int port = old.port(0);
    write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"");
    Path held = dir.resolve("held");
    Running young =
        site.begin("young", site.command(around("hold " + step + " " + held), "--takeover"));
    young.awaitOutput("it is there", () -> Files.exists(held));
    old.kill();
    Files.delete(held);
    ConfinedSite.awaitRunning(young);
    assertThat(young.errors()).contains("ended during the takeover");
    assertThat(ConfinedSite.get(port, HOST)).contains("hello");
    long pid = ConfinedSite.pid(young);
    ConfinedSite.assertIsUser(pid, ConfinedSite.DAEMON);
    assertThat(site.ask("status")).contains("\"pid\":" + pid, "\"uid\":\"1\"");
    assertThat(Files.getAttribute(site.admin(), "unix:uid")).isEqualTo(1);
    assertThat(young.stop()).isZero();
    assertThat(site.admin()).doesNotExist();
  }

  private Running next(Running old, String name, List<String> before) throws IOException {
    Running next = site.start(name, before, "--takeover");
    assertThat(old.await()).as(old.errors()).isZero();
    assertThat(next.errors()).contains("took over");
    return next;
  }

  private void assertServes(Running proxy, int port, String uid) throws IOException {
    assertThat(ConfinedSite.get(port, HOST)).contains("hello");
    ConfinedSite.assertIsUser(proxy.process.pid(), uid);
    assertThat(site.ask("status"))
        .contains("\"pid\":" + proxy.process.pid() + ",", "\"uid\":\"" + uid + "\",");
  }

  /** The directory of the admin socket goes from one to the other, with a file of its user's. */
  @Test
  void inADirectoryOfTheStartsOwnEachUsersProxyTakesOverOrIsRefused() throws Exception {
    ConfinedSite.open(site.run, "rwxr-xr-x");
    List<String> asService = List.of("env", "RUNTIME_DIRECTORY=" + site.run);
    writeWithoutAdmin("user: root");
    Running root = site.start("root", asService);
    int port = root.port(0);
    assertServes(root, port, "0");

    writeWithoutAdmin("user: daemon");
    Running daemon = next(root, "daemon", asService);
    assertServes(daemon, port, "1");
    // It has been given the directory, and has replaced the file.
    assertThat(Files.getAttribute(site.run, "unix:uid")).isEqualTo(1);
    assertThat(Files.getAttribute(site.admin(), "unix:uid")).isEqualTo(1);
    assertThat(daemon.errors()).doesNotContain("the admin socket stays");

    // It is the process that counts, and not whose file it is.
    writeWithoutAdmin("");
    Running refused = site.begin("refused", site.command(asService, "--takeover"));
    assertThat(refused.await()).isOne();
    assertThat(refused.errors())
        .contains("runs as uid 1, and this one would run as root: write user: daemon");
    writeWithoutAdmin("confinement: off");
    Running open = site.begin("open", site.command(asService, "--takeover"));
    assertThat(open.await()).isOne();
    assertThat(open.errors()).contains("runs as uid 1, and this one would run as root");
    assertServes(daemon, port, "1");

    writeWithoutAdmin("user: games");
    Running games = next(daemon, "games", asService);
    assertServes(games, port, "5");
    writeWithoutAdmin("user: root");
    Running again = next(games, "root-again", asService);
    assertServes(again, port, "0");
    assertThat(Files.getAttribute(site.admin(), "unix:uid")).isEqualTo(0);
    assertThat(again.stop()).isZero();
    assertThat(site.admin()).doesNotExist();
  }

  private void writeWithoutAdmin(String keys) throws IOException {
    Path file = write(keys, "\"127.0.0.1:0\"");
    Files.writeString(file, Files.readString(file).replaceFirst("admin: .*\n", ""));
  }

  /** Whoever starts it, the user is the same; and by itself that user gets no other's. */
  @Test
  void aUserTakesOverByItselfWhatRootHasStarted() throws Exception {
    write(ConfinedSite.AS_DAEMON, "\"127.0.0.1:0\"");
    Running first = site.start("first", List.of());
    int port = first.port(0);
    Running itself = next(first, "itself", UNPRIVILEGED);
    assertServes(itself, port, "1");
    Running roots = next(itself, "roots", List.of());
    assertServes(roots, port, "1");
    write("user: root", "\"127.0.0.1:0\"");
    Running root = next(roots, "root", List.of());
    assertServes(root, port, "0");
    write("", "\"127.0.0.1:0\"");
    Running refused = site.begin("refused", site.command(UNPRIVILEGED, "--takeover"));
    assertThat(refused.await()).isOne();
    assertThat(refused.errors()).contains("EACCES");
    assertServes(root, port, "0");
    assertThat(root.stop()).isZero();
  }

  /** Sockets share a port where they are of one user: those of the new one, and those there. */
  @Test
  void anAddressGivesWayToAnotherOfItsPortWhoseverTheSocketsAre() throws Exception {
    int port = ConfinedSite.freePort();
    String all = "\"0.0.0.0:" + port + "\"";
    String one = "\"127.0.0.1:" + port + "\"";
    write("user: root", all);
    Running root = site.start("root", List.of());
    write(ConfinedSite.AS_DAEMON, all);
    Running daemon = next(root, "daemon", List.of());
    // What root has bound is not the user's to share: a takeover can, and the error says so.
    write(ConfinedSite.AS_DAEMON, one);
    assertThat(site.ask("reload")).contains("EADDRINUSE", "peekpass run -c FILE --takeover");
    assertServes(daemon, port, "1");
    Running shared = next(daemon, "shared", List.of());
    assertServes(shared, port, "1");
    // By itself, now that it is its own.
    write(ConfinedSite.AS_DAEMON, all);
    assertThat(site.ask("reload")).startsWith("{\"ok\":true");
    // As root, who takes over from the user.
    write(ConfinedSite.AS_DAEMON, one);
    Running again = next(shared, "again", List.of());
    assertServes(again, port, "1");
    write("user: root", all);
    Running roots = next(again, "roots", List.of());
    assertServes(roots, port, "0");
    assertThat(roots.stop()).isZero();
  }

  /** Chains of takeovers leave such ports: what each has opened is its user's. */
  @Test
  void aPortWhoseSocketsAreOfTwoUsersGivesWayToo() throws Exception {
    int port = ConfinedSite.freePort();
    String one = "\"127.0.0.1:" + port + "\"";
    write(ConfinedSite.AS_DAEMON, one);
    Running daemon = site.start("daemon", List.of());
    write("user: games", one + ", \"127.0.0.2:" + port + "\"");
    Running games = next(daemon, "games", List.of());
    assertServes(games, port, "5");
    write(ConfinedSite.AS_DAEMON, "\"0.0.0.0:" + port + "\"");
    Running all = next(games, "all", List.of());
    assertServes(all, port, "1");
    write("user: root", one);
    Running root = next(all, "root", List.of());
    assertServes(root, port, "0");
    assertThat(root.stop()).isZero();
  }

  /** A directory of the start's own is given away when nothing is known to be in the way. */
  @Test
  void aTakeoverThatIsRefusedLeavesTheDirectoryToTheRunningProxy() throws Exception {
    ConfinedSite.open(site.run, "rwx------");
    List<String> asService = List.of("env", "RUNTIME_DIRECTORY=" + site.run);
    writeWithoutAdmin("user: daemon");
    Running daemon = site.start("daemon", asService);
    int port = daemon.port(0);
    assertThat(Files.getAttribute(site.run, "unix:uid")).isEqualTo(1);

    writeWithoutAdmin("user: games");
    Path file = ConfinedSite.open(site.etc.resolve("peekpass.yaml"), "rw-r-----");
    Running refused = site.begin("refused", site.command(asService, "--takeover"));
    assertThat(refused.await()).isOne();
    assertThat(refused.errors()).contains("user games may not read the configuration " + file);
    assertThat(Files.getAttribute(site.run, "unix:uid")).isEqualTo(1);
    assertThat(Files.getAttribute(site.run, "unix:gid")).isEqualTo(1);
    assertServes(daemon, port, "1");

    ConfinedSite.open(file, "rw-r--r--");
    // Nor does one that ends when it has given up what it could undo this with.
    List<String> killed = new ArrayList<>(around("kill landlock_restrict_self 0 1 "));
    killed.addAll(asService);
    assertThat(site.begin("killed", site.command(killed, "--takeover")).await()).isNotZero();
    assertThat(Files.getAttribute(site.run, "unix:uid")).isEqualTo(1);
    assertServes(daemon, port, "1");
    Running games = next(daemon, "games", asService);
    assertServes(games, port, "5");
    assertThat(Files.getAttribute(site.run, "unix:uid")).isEqualTo(5);
    assertThat(games.stop()).isZero();
    assertThat(site.admin()).doesNotExist();
  }
}
