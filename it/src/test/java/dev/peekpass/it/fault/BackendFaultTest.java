package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import dev.peekpass.it.Tool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Backends that die, restart, freeze, never read and run out of descriptors, under load. */
@Tag("processes")
class BackendFaultTest {
  private static final Scale SCALE = Scale.configured();
  private static final int PAYLOAD_BYTES = 8192;

  @TempDir private Path dir;

  private static long micros() {
    return System.nanoTime() / 1000;
  }

  @Test
  void oneOfTwoKilled() throws Exception {
    int times = SCALE.pick(2, 10);
    Figures figures =
        new Figures(
            "oneOfTwoKilled", "kill -9 of one of two backends, and a new start of it", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("a");
      all.serve("b");
      all.configure(2, "a", "b");
      kill(all, figures, times);
    }
    figures.finish();
  }

  @Test
  void onlyOneKilled() throws Exception {
    int times = SCALE.pick(1, 10);
    Figures figures =
        new Figures("onlyOneKilled", "kill -9 of the only backend, and a new start of it", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("a");
      all.configure(1, "a");
      kill(all, figures, times);
    }
    figures.finish();
  }

  /** Kills the first backend and starts it anew, again and again. */
  private static void kill(Deployment all, Figures figures, int times) throws Exception {
    Running proxy = all.proxy();
    long before = all.warmUp(proxy);
    Running victim = all.servers.getFirst();
    List<Long> kills = new ArrayList<>();
    List<Entry> entries;
    try (LoadProgram load = all.load(SCALE.rate)) {
      for (int i = 0; i < times; i++) {
        // What had to wait for the last start is done.
        load.awaitMore(SCALE.rate / 2, entry -> entry.micros() < 100_000);
        kills.add(micros());
        victim.kill();
        victim = all.serve("a");
        String name = "a" + (all.servers.size() - 1);
        load.awaitMore(SCALE.rate / 5, entry -> entry.backend().equals(name));
      }
      entries = load.stop();
      figures.descriptors(before, Deployment.settled(proxy, before));
    }
    assertThat(proxy.stop()).isZero();
    all.servers.forEach(Running::close);
    ProxyLog log = new ProxyLog(proxy, LoadProgram.only(entries, Entry::isFailed));
    figures.count(entries, entry -> log.wasTouched(entry, kills));
    figures.add("%d times", times);
    if (log.droppedLines() > 0) {
      figures.add("the proxy's log lacks %,d lines that would tell", log.droppedLines());
    }
    promiseNoneUntouched(figures);
    figures.promise("none is handled twice", all.handledTwice() == 0);
  }

  private static void promiseNoneUntouched(Figures figures) {
    figures.promise("none is refused", figures.number("refused_or_reset_at_connect") == 0);
    figures.promise(
        "none fails that no backend had touched", figures.number("lost_otherwise") == 0);
  }

  @Test
  @Timeout(value = 15, unit = TimeUnit.MINUTES)
  void onlyOneRestarted() throws Exception {
    int times = SCALE.pick(3, 50);
    Figures figures =
        new Figures(
            "onlyOneRestarted", "SIGTERM of the only backend, and a new start of it", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      Running current = all.serve("a");
      all.configure(1, "a");
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      try (LoadProgram load = all.load(SCALE.rate)) {
        load.awaitMore(SCALE.rate / 2);
        for (int i = 0; i < times; i++) {
          assertThat(current.stop()).as(current.errors()).isZero();
          current = all.serve("a");
          String name = "a" + (all.servers.size() - 1);
          load.awaitMore(SCALE.rate / 5, entry -> entry.backend().equals(name));
        }
        figures.count(load.stop(), entry -> false);
        figures.promiseAllServed();
        figures.descriptors(before, Deployment.settled(proxy, before));
      }
      current.stop();
      figures.promise("none is handled twice", all.handledTwice() == 0);
      figures.add("%d times", times);
    }
    figures.finish();
  }

  @Test
  void frozen() throws Exception {
    int seconds = SCALE.pick(3, 30);
    Figures figures = new Figures("frozen", "SIGSTOP of one of two backends, then SIGCONT", SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      Running a = all.serve("a");
      Running b = all.serve("b");
      all.configure(2, "a", "b");
      Running proxy = all.proxy();
      long before = all.warmUp(proxy);
      List<Entry> entries;
      long began;
      long froze;
      long thawed;
      int mostWaiting = 0;
      try (LoadProgram load = all.load(SCALE.rate)) {
        load.awaitMore(SCALE.rate);
        began = micros();
        load.awaitMore(SCALE.rate * SCALE.pick(1, 10));
        Signal.STOP.send(a.process.pid());
        froze = micros();
        for (int i = 0; i < seconds * 10; i++) {
          load.awaitMore(SCALE.rate / 10);
          mostWaiting = Math.max(mostWaiting, all.waiting("web"));
        }
        thawed = micros();
        Signal.CONT.send(a.process.pid());
        // It serves again, and what was taken back from it has been found to be so.
        load.awaitMore(SCALE.rate / 5, e -> e.begunMicros() > thawed && e.backend().equals("a0"));
        entries = load.stop();
        figures.descriptors(before, Deployment.settled(proxy, before));
      }
      assertThat(proxy.stop()).isZero();
      a.stop();
      b.stop();
      figures.count(entries, entry -> false);
      figures.promiseAllServed();
      figures.promise("none is handled twice", all.handledTwice() == 0);
      List<Entry> during =
          LoadProgram.only(
              entries, e -> e.begunMicros() > froze && e.begunMicros() < thawed - 1_000_000);
      figures.promise(
          "the frozen one serves none of them, not even later",
          during.stream().noneMatch(e -> e.backend().equals("a0")));
      figuresOfTheOthers(figures, entries, during, began, froze);
      figures.add("frozen for %d s; at most %,d waited in the proxy", seconds, mostWaiting);
      figures.promise("the queue is bounded", mostWaiting <= 2 * SCALE.rate);
    }
    figures.finish();
  }

  private static void figuresOfTheOthers(
      Figures figures, List<Entry> entries, List<Entry> during, long began, long froze) {
    long quiet =
        Figures.percentile(
            LoadProgram.only(entries, e -> e.begunMicros() > began && e.endedMicros() < froze), 99);
    long all = Figures.percentile(during, 99);
    // By then the proxy has found out, and taken back what it had offered.
    long others =
        Figures.percentile(LoadProgram.only(during, e -> e.begunMicros() > froze + 1_000_000), 99);
    figures.add(
        "p99 before %s; while it is frozen %s, after the first second of that %s",
        Figures.millis(quiet), Figures.millis(all), Figures.millis(others));
    figures.promiseInTime("p99 of all is below 1 s while one is frozen", all < 1_000_000);
    figures.promiseInTime("the others' p99 is at most twice that of before", others <= 2 * quiet);
  }

  @Test
  void descriptorLimit() throws Exception {
    int clients = SCALE.pick(200, 1_000);
    Figures figures =
        new Figures(
            "descriptorLimit",
            "a backend with 100 descriptors, 200 clients a second that stay for one",
            SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      Running a = all.serve(100, "a", "--whoami");
      all.configure(1, "a");
      Running proxy = all.proxy();
      try (LoadProgram load = all.ask(200, "-n", "" + clients, "-w", "1000")) {
        figures.count(load.await(), entry -> false);
      }
      figures.promiseAllServed();
      figures.promise("it was at its limit", a.errors().contains("RLIMIT_NOFILE"));
      assertThat(proxy.stop()).isZero();
    }
    figures.finish();
  }

  @ParameterizedTest
  @ValueSource(strings = {"stream", "datagram", "acknowledged"})
  void neverReads(String type) throws Exception {
    Tool.require("python3");
    int timeoutMillis = 2_000;
    int maxQueue = 200;
    Figures figures =
        new Figures(
            "neverReads-" + type,
            "a backend that never reads its %s socket, alone and beside one that does"
                .formatted(type),
            SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      String script = Running.ROOT.resolve("it/src/test/resources/never-reads.py").toString();
      List<String> command =
          List.of("python3", "-u", script, dir.resolve("stuck.sock").toString(), type);
      Running stuck = Running.start(dir, "stuck", command);
      try (stuck) {
        stuck.awaitOutput("it is bound", () -> stuck.output().contains("bound"));
        all.serve("good", "--socket-type", type);
        all.configure(
            1,
            true,
            """
            alone: { handoff: %s, hand-off-timeout: %dms, max-queue: %d }
            both: { handoff: [%s, %s], max-queue: 100000 }\
            """
                .formatted(
                    all.unix("stuck"),
                    timeoutMillis,
                    maxQueue,
                    all.unix("stuck"),
                    all.unix("good")),
            """
            - { host: alone.example.test, backend: alone }
            - { host: both.example.test, backend: both }\
            """);
        Running proxy = all.proxy();
        int connections = SCALE.pick(1_000, 8_000);
        int rate = SCALE.pick(500, 2_000);
        try (LoadProgram alone = all.load("alone.example.test", rate, "-n", "" + connections);
            LoadProgram both = all.load("both.example.test", rate, "-n", "" + connections)) {
          int most = mostWaiting(all, connections, alone, both);
          long hang = 2L * connections - alone.done() - both.done();
          // Those that hang are in the queue of its socket; they go when it goes.
          stuck.kill();
          List<Entry> refused = LoadProgram.only(alone.await(), e -> !hung(e));
          List<Entry> served = LoadProgram.only(both.await(), e -> !hung(e));
          figures.count(served, entry -> false);
          figures.promise(
              "the other serves all that do not hang", figures.number("lost_otherwise") == 0);
          figures.promise(
              "alone, all that do not hang are told so: 503",
              refused.stream().allMatch(e -> e.outcome().equals("status-503")));
          int limit =
              switch (type) {
                case "stream" -> 2 * 300;
                case "datagram" -> 2 * 12;
                default -> 0;
              };
          figures.promise("no more hang than its sockets' queues hold", hang <= limit);
          // Those that were taken back wait, too, and are not counted by max-queue.
          int offered = type.equals("acknowledged") ? 256 : 0;
          figures.promise("the queue is bounded", most <= maxQueue + offered);
          long slowest = Figures.percentile(refused, 100);
          figures.promiseInTime(
              "those that are turned away are within hand-off-timeout and a second",
              slowest < (timeoutMillis + 1_000) * 1_000L);
          figures.add(
              "alone: %,d turned away with 503, the slowest after %s; %d of %,d hung in the socket;"
                  + " at most %d waited in the proxy",
              refused.size(), Figures.millis(slowest), hang, 2 * connections, most, maxQueue);
        }
        assertThat(proxy.stop()).isZero();
      }
    }
    figures.finish();
  }

  /**
   * The clients of one site, while another's receiver makes every close(2) of its connections wait.
   */
  @ParameterizedTest
  @ValueSource(strings = {"persistent", "acknowledged"})
  void lingers(String method) throws Exception {
    Tool.require("python3");
    int rounds = SCALE.pick(50, 1_000);
    int quiet = SCALE.pick(200, 5_000);
    int rate = SCALE.pick(200, 500);
    Figures figures =
        new Figures(
            "lingers-" + method,
            "beside it a receiver that is not trusted sets SO_LINGER and closes first, each time",
            SCALE);
    try (Deployment all = new Deployment(dir, PAYLOAD_BYTES)) {
      all.serve("good");
      all.configure(
          1,
          false,
          """
          web: { handoff: %s, method: acknowledged }
          evil: { handoff: %s, method: %s, trust: never }\
          """
              .formatted(all.unix("good"), all.unix("evil"), method),
          """
          - { host: %s, backend: web }
          - { host: evil.example.test, backend: evil }\
          """
              .formatted(Deployment.HOST));
      Running proxy = all.proxy();
      String script = Running.ROOT.resolve("it/src/test/resources/lingers.py").toString();
      String socket = dir.resolve("evil.sock").toString();
      List<String> command =
          List.of(
              "python3",
              "-u",
              script,
              socket,
              method,
              "" + all.port,
              "evil.example.test",
              "" + rounds);
      all.warmUp(proxy);
      List<Entry> before;
      try (LoadProgram load = all.load(rate, "-n", "" + quiet)) {
        before = load.await();
      }
      try (LoadProgram load = all.load(rate);
          Running evil = Running.start(dir, "evil", command)) {
        evil.awaitOutput("it has had its rounds", () -> evil.output().contains("done"));
        figures.count(load.stop(), entry -> false);
      }
      figures.promiseAllServed();
      long still = all.counter("stood-still");
      // Its clients' connections, and none of the others.
      Running.await("all are closed", () -> all.counter("closed-aside") >= rounds);
      figures.promise(
          "the loop closes none of its connections", all.counter("closed-aside") == rounds);
      long p99 = Figures.percentile(before, 99);
      figures.promiseInTime(
          "p99 is at most twice that without it", figures.number("p99_us") <= 2 * p99);
      figures.add(
          "%,d rounds; p99 before: %s; turns over 100 ms: %d", rounds, Figures.millis(p99), still);
      assertThat(proxy.stop()).isZero();
    }
    figures.finish();
  }

  private static boolean hung(Entry entry) {
    return entry.outcome().equals("reset") || entry.outcome().equals("no-answer");
  }

  /**
   * Waits until all but those that hang have come to something.
   *
   * @return how many of the one waited in the proxy, at most
   */
  private static int mostWaiting(Deployment all, int connections, LoadProgram... loads)
      throws Exception {
    int most = 0;
    int before = -1;
    int done = 0;
    long since = micros();
    // Nothing waits in the proxy any more, and nothing more happens.
    while (done < loads.length * connections
        && (all.waiting("alone") > 0 || all.waiting("both") > 0 || micros() - since < 3_000_000)) {
      done = 0;
      for (LoadProgram load : loads) {
        done += load.done();
      }
      if (done != before) {
        before = done;
        since = micros();
      }
      most = Math.max(most, all.waiting("alone"));
      LockSupport.parkNanos(20_000_000);
    }
    return most;
  }
}
