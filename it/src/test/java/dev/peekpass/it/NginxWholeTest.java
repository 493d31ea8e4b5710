package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The whole of nginx, master and workers, is killed or frozen, by {@code datagram}: what the
 * acknowledged hand-off would save and this does not is what its socket's queue holds
 * (docs/adr/0021).
 */
@Tag("processes")
class NginxWholeTest {
  private static final int RATE = 100;
  private static final String PAYLOAD = "from nginx\\n";

  private static final Path LIMIT = Path.of("/proc/sys/net/unix/max_dgram_qlen");

  /** How many datagrams wait in a socket; unix(7) lets one more in than the limit says. */
  private static int queueMost;

  @TempDir private Path dir;

  @BeforeAll
  static void askForTheLimit() throws IOException {
    NginxModule.require();
    queueMost = limit() + 1;
  }

  private static int limit() throws IOException {
    // All at once: such a file gives nothing to who comes back for the rest.
    byte[] digits = new byte[16];
    try (InputStream in = Files.newInputStream(LIMIT)) {
      int length = in.read(digits);
      return Integer.parseInt(new String(digits, 0, length, StandardCharsets.US_ASCII).strip());
    }
  }

  /** It is the machine's, which others may set. */
  @AfterEach
  void requireTheSameLimit() throws IOException {
    Assumptions.assumeTrue(
        limit() + 1 == queueMost, "SKIPPED: somebody has changed " + LIMIT + " meanwhile");
  }

  private NginxDeployment nginx(String name) throws IOException {
    return NginxDeployment.in(Files.createDirectories(dir.resolve(name)))
        .methods("datagram")
        .withoutProxy()
        .http(
            "http",
            "",
            "location = /payload { add_header X-Backend %s; return 200 \"%s\"; }%n"
                .formatted(name, PAYLOAD))
        .start();
  }

  private Running proxy(NginxDeployment... backends) throws IOException {
    List<String> sockets = new ArrayList<>();
    for (NginxDeployment backend : backends) {
      sockets.add("\"unix:" + backend.socket("http", "datagram") + "\"");
    }
    return Running.proxy(
        dir,
        """
        threads: 1
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          web: { handoff: %s, method: datagram, hand-off-timeout: 80s, max-queue: 100000 }
        fallback: web
        """
            .formatted(sockets));
  }

  private static SteadyLoad load(Running proxy) {
    byte[] body = PAYLOAD.translateEscapes().getBytes(StandardCharsets.US_ASCII);
    return new SteadyLoad(proxy.port(0), "/payload", SteadyLoad.sha256(body), RATE);
  }

  private static List<Long> processes(NginxDeployment of) {
    List<Long> all = new ArrayList<>();
    // First, so that it does not start another worker for one that has ended.
    all.add(of.nginx.master());
    all.addAll(of.nginx.workers());
    return all;
  }

  private static void signal(String name, NginxDeployment to, List<Long> processes)
      throws IOException {
    for (long process : processes) {
      to.nginx.signal(name, process);
    }
  }

  private static long failed(SteadyLoad load, int from, int until) {
    return load.entries().stream()
        .filter(e -> e.failed() && e.number() > from && e.number() <= until)
        .count();
  }

  private static long ended(SteadyLoad load, int from, int until) {
    return load.entries().stream().filter(e -> e.number() > from && e.number() <= until).count();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void killedItLosesItsQueueAndWhatItServed(boolean frozenFirst) throws Exception {
    try (NginxDeployment nginx = nginx("a");
        Running proxy = proxy(nginx)) {
      String config = Files.readString(nginx.nginx.dir.resolve("nginx.conf"));
      SteadyLoad load = load(proxy);
      int before;
      try (load) {
        BackendFaults.awaitMore(load, RATE);
        List<Long> processes = processes(nginx);
        before = load.begun();
        if (frozenFirst) {
          // So that the queue is full: without that nginx keeps it empty.
          signal("STOP", nginx, processes);
          before = load.begun();
          int until = before + RATE;
          Running.await("a second's connections wait", () -> load.begun() >= until);
        }
        signal("KILL", nginx, processes);
        Nginx again = Nginx.start(nginx.nginx.dir, config);
        try (again) {
          BackendFaults.awaitMore(load, 2 * RATE);
          load.close();
        }
      }
      long served = failed(load, 0, before);
      long queued = failed(load, before, load.begun());
      System.out.printf(
          "NginxWholeTest: killed, %s: of %d connections %d lost that it had, %d later ones%n",
          frozenFirst ? "frozen before" : "working", load.begun(), served, queued);
      assertThat(served).isLessThanOrEqualTo(RATE / 4);
      if (frozenFirst) {
        assertThat(queued).isBetween(1L, (long) queueMost);
      } else {
        // Those that it took while it was being killed, process by process.
        assertThat(queued).isLessThanOrEqualTo(queueMost + RATE / 4);
      }
    }
  }

  @Test
  void frozenItKeepsItsQueueAndTheOtherGetsTheRest() throws Exception {
    try (NginxDeployment a = nginx("a");
        NginxDeployment b = nginx("b");
        Running proxy = proxy(a, b)) {
      SteadyLoad load = load(proxy);
      int before;
      int until;
      long waiting;
      try (load) {
        BackendFaults.awaitMore(load, RATE);
        List<Long> processes = processes(a);
        signal("STOP", a, processes);
        before = load.begun();
        int from = before;
        Running.await("three seconds' connections have come", () -> load.begun() > from + 3 * RATE);
        until = load.begun();
        int to = until;
        Running.await(
            "all but a queue of them have ended",
            () -> ended(load, from, to) >= to - from - queueMost);
        waiting = to - from - ended(load, from, to);
        signal("CONT", a, processes);
      }
      System.out.printf(
          "NginxWholeTest: frozen: of %d connections %d waited for it%n", until - before, waiting);
      assertThat(failed(load, 0, load.begun())).as("of %s", load.entries()).isZero();
      int from = before;
      int to = until;
      assertThat(load.entries().stream().filter(e -> e.number() > from && e.number() <= to))
          .filteredOn(e -> e.backend().equals("a"))
          .as("the proxy asks what has not been received, and sends to the other")
          .hasSizeLessThanOrEqualTo(queueMost);
    }
  }
}
