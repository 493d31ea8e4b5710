package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Backends that die, restart and freeze behind an acknowledged hand-off: real processes, with the
 * outcome of every connection. What they are, subclasses say.
 */
abstract class BackendFaults {
  static final int RATE = 100;
  private static final Pattern SERVED = Pattern.compile("\"GET /payload\\?n=(\\d+) ");
  private static final Pattern LOGGED =
      Pattern.compile("^(\\S+) client=127\\.0\\.0\\.1:(\\d+) .* outcome=(\\S+) ");
  private static final Pattern LOST = Pattern.compile("^(\\S+) INFO +backend web: .* lost: ");

  /** In /proc/PID/task/TID/stat the state comes behind the name. */
  private static final Pattern STOPPED = Pattern.compile("\\) T ");

  @TempDir Path dir;
  private String digest = "";

  @BeforeEach
  void makeSite() throws IOException {
    Path site = Files.createDirectories(dir.resolve("site"));
    byte[] payload = new byte[40_000];
    new Random(6).nextBytes(payload);
    Files.write(site.resolve("payload"), payload);
    digest = SteadyLoad.sha256(payload);
  }

  /**
   * Starts a backend and waits until it serves {@code site/payload}, with its name in X-Backend and
   * a line with {@code "GET /payload?n=…} for each request in its output. When it is told to end it
   * ends what it has begun.
   *
   * @param socket the name of its UNIX socket
   */
  abstract Running serve(String socket, String name) throws IOException;

  /** What a backend ends with when it is told to end (SIGTERM). */
  abstract int statusWhenStopped();

  /** How many connections that it has accepted a backend drops at most when it is told to end. */
  int droppedWhenStopped() {
    return 0;
  }

  final Path socketPath(String socket) {
    return dir.resolve(socket + ".sock");
  }

  final Running proxy(String... sockets) throws IOException {
    List<String> paths = new ArrayList<>();
    for (String socket : sockets) {
      paths.add("\"unix:" + socketPath(socket) + "\"");
    }
    return Running.proxy(
        dir,
        """
        access-log: true
        threads: 1
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          web: { handoff: %s, method: acknowledged, hand-off-timeout: 80s, max-queue: 100000 }
        routes:
          - { host: %s, backend: web }
        """
            .formatted(paths, Site.NAME));
  }

  final SteadyLoad load(Running proxy) {
    return new SteadyLoad(proxy.port(0), "/payload", digest, RATE);
  }

  static void awaitMore(SteadyLoad load, int connections) {
    int until = load.done() + connections;
    Running.await("more connections are served", () -> load.done() >= until);
  }

  private static void signal(String name, Running of) throws Exception {
    Process kill = new ProcessBuilder("kill", "-" + name, "" + of.process.pid()).start();
    assertThat(kill.waitFor()).isZero();
  }

  /** Stops a process, which kill(1) only begins: threads that run go on to the next interrupt. */
  private static void freeze(Running running) throws Exception {
    signal("STOP", running);
    Running.await("every thread of it has stopped", () -> isStopped(running.process.pid()));
  }

  private static boolean isStopped(long pid) {
    try (Stream<Path> threads = Files.list(Path.of("/proc/" + pid + "/task"))) {
      return threads.allMatch(
          thread -> STOPPED.matcher(Running.read(thread.resolve("stat"))).find());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static void assertNoneFailed(Queue<SteadyLoad.Entry> entries) {
    assertThat(entries.stream().filter(SteadyLoad.Entry::failed)).isEmpty();
  }

  /**
   * None failed but what backends had, and dropped when they were told to end. Ends the proxy, for
   * all of its log.
   */
  private void assertNoneLost(SteadyLoad load, Running proxy, int stops) {
    assertThat(proxy.stop()).isZero();
    List<SteadyLoad.Entry> failed =
        load.entries().stream().filter(SteadyLoad.Entry::failed).toList();
    assertThat(failed).hasSizeLessThanOrEqualTo(stops * droppedWhenStopped());
    for (SteadyLoad.Entry entry : failed) {
      Logged logged = logged(proxy.errors() + proxy.output(), entry.localPort());
      assertThat(logged.outcome).as("%s, %s", entry, logged).isEqualTo("passed");
    }
  }

  /** No request reached two backends, nor one of them twice. */
  static void assertServedOnce(List<Running> servers) {
    Map<String, Integer> served = new HashMap<>();
    for (Running server : servers) {
      Matcher matcher = SERVED.matcher(server.output());
      while (matcher.find()) {
        served.merge(matcher.group(1), 1, Integer::sum);
      }
    }
    assertThat(served).isNotEmpty();
    assertThat(served.values()).allMatch(times -> times == 1);
  }

  private static long counted(Running proxy, String what) {
    Matcher matcher = Pattern.compile(" " + what + "=(\\d+)").matcher(proxy.errors());
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  @Test
  void ofTwoBackendsOneIsKilled() throws Exception {
    try (Running a = serve("a", "a");
        Running b = serve("b", "b");
        Running proxy = proxy("a", "b")) {
      SteadyLoad load = load(proxy);
      try (load) {
        awaitMore(load, 2 * RATE);
        a.kill();
        awaitMore(load, 3 * RATE);
      }
      assertThat(proxy.stop()).isZero();
      Optional<String> lost = first(LOST, proxy.errors());
      assertThat(lost).isPresent();
      for (SteadyLoad.Entry failed :
          load.entries().stream().filter(SteadyLoad.Entry::failed).toList()) {
        // What the dead one had taken has gone with it, as it would with any proxy. Nothing else.
        Logged logged = logged(proxy.errors() + proxy.output(), failed.localPort());
        boolean itsOwn = logged.outcome.equals("lost") || logged.time.compareTo(lost.get()) <= 0;
        assertThat(itsOwn).as("%s, %s", failed, logged).isTrue();
      }
      assertThat(load.entries().stream().filter(SteadyLoad.Entry::failed).count())
          .isLessThan(RATE / 4);
      assertServedOnce(List.of(a, b));
    }
  }

  private record Logged(String time, String outcome) {}

  private static Logged logged(String log, int clientPort) {
    for (String line : log.lines().toList()) {
      Matcher matcher = LOGGED.matcher(line);
      if (matcher.find() && matcher.group(2).equals("" + clientPort)) {
        return new Logged(matcher.group(1), matcher.group(3));
      }
    }
    throw new AssertionError("no line in the log for port " + clientPort);
  }

  private static Optional<String> first(Pattern pattern, String text) {
    return text.lines()
        .map(pattern::matcher)
        .filter(Matcher::find)
        .map(found -> found.group(1))
        .findFirst();
  }

  @Test
  void theOnlyBackendIsRestartedAgainAndAgain() throws Exception {
    List<Running> servers = new ArrayList<>();
    try (Running proxy = proxyAfter(servers, serve("a", "a0"), "a")) {
      SteadyLoad load = load(proxy);
      try (load) {
        for (int i = 1; i <= 4; i++) {
          awaitMore(load, RATE);
          Running old = servers.getLast();
          assertThat(old.stop()).as(old.errors()).isEqualTo(statusWhenStopped());
          servers.add(serve("a", "a" + i));
        }
        awaitMore(load, RATE);
      }
      assertNoneLost(load, proxy, 4);
      assertThat(load.entries().stream().map(SteadyLoad.Entry::backend))
          .contains("a0", "a1", "a2", "a3", "a4");
      servers.getLast().stop();
      assertServedOnce(servers);
    } finally {
      servers.forEach(Running::close);
    }
  }

  @Test
  void bothBackendsAreRestartedInTurn() throws Exception {
    List<Running> servers = new ArrayList<>();
    List<Running> ended = new ArrayList<>();
    try (Running proxy = proxyAfter(servers, serve("a", "a0"), "a", "b")) {
      servers.add(serve("b", "b0"));
      SteadyLoad load = load(proxy);
      try (load) {
        for (int i = 1; i <= 2; i++) {
          for (String socket : List.of("a", "b")) {
            awaitMore(load, RATE);
            Running old = servers.removeFirst();
            ended.add(old);
            assertThat(old.stop()).as(old.errors()).isEqualTo(statusWhenStopped());
            servers.add(serve(socket, socket + i));
          }
        }
        awaitMore(load, RATE);
      }
      assertNoneLost(load, proxy, 4);
      assertThat(load.entries().stream().map(SteadyLoad.Entry::backend))
          .contains("a0", "b0", "a1", "b1", "a2", "b2");
      servers.forEach(Running::stop);
      ended.addAll(servers);
      assertServedOnce(ended);
    } finally {
      servers.forEach(Running::close);
      ended.forEach(Running::close);
    }
  }

  private Running proxyAfter(List<Running> servers, Running first, String... sockets)
      throws IOException {
    servers.add(first);
    return proxy(sockets);
  }

  @Test
  void ofTwoBackendsOneFreezesAndThaws() throws Exception {
    try (Running a = serve("a", "a");
        Running b = serve("b", "b");
        Running proxy = proxy("a", "b")) {
      long proxySockets = proxy.sockets();
      long serverSockets = a.sockets();
      SteadyLoad load = load(proxy);
      long thawed;
      long frozen;
      try (load) {
        awaitMore(load, RATE);
        freeze(a);
        frozen = System.nanoTime();
        int before = load.begun();
        awaitMore(load, 3 * RATE);
        // All that came while it was frozen are served by the other, those it was offered too, and
        // see their end, though it may have copies of them.
        int until = load.begun();
        Running.await(
            "all that began meanwhile have ended",
            () ->
                load.entries().stream()
                        .filter(e -> e.number() > before && e.number() <= until)
                        .count()
                    == until - before);
        thawed = System.nanoTime();
        signal("CONT", a);
        Running.await(
            "the thawed one serves again",
            () ->
                load.entries().stream()
                    .anyMatch(e -> e.begunNanos() > thawed && e.backend().equals("a")));
        awaitMore(load, RATE);
      }
      assertNoneFailed(load.entries());
      List<SteadyLoad.Entry> meanwhile =
          load.entries().stream()
              .filter(e -> e.begunNanos() > frozen && e.endedNanos() < thawed)
              .toList();
      assertThat(meanwhile).hasSizeGreaterThan(2 * RATE);
      assertThat(meanwhile).allMatch(e -> e.backend().equals("b"));
      // None of those that began well before the thaw had to wait for it.
      long slack = TimeUnit.SECONDS.toNanos(1);
      assertThat(
              load.entries().stream()
                  .filter(e -> e.begunNanos() > frozen && e.begunNanos() < thawed - slack)
                  .filter(e -> e.backend().equals("a")))
          .isEmpty();
      // What the proxy has more is a channel to each.
      Running.await("no client is left with the proxy", () -> proxy.sockets() <= proxySockets + 2);
      Running.await(
          "no client is left with the thawed one", () -> a.sockets() <= serverSockets + 1);
      assertThat(proxy.stop()).isZero();
      assertThat(counted(proxy, "taken-back")).isPositive();
      assertThat(counted(proxy, "ack-timed-out")).isPositive();
      a.stop();
      b.stop();
      assertServedOnce(List.of(a, b));
    }
  }
}
