package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Several backends' processes behind one route, of which some end, drain, freeze and hang. */
@Tag("processes")
class BalanceTest {
  private static final int RATE = 50;
  private static final Pattern BACKEND = Pattern.compile("\nX-Backend: (\\S+)\r\n");
  private static final Pattern STATE =
      Pattern.compile("\"handoff\":\"unix:[^\"]*/(\\w+)\\.sock\",\"state\":\"(\\w+)\"");

  @TempDir private Path dir;
  private String digest = "";

  @BeforeEach
  void makeSite() throws IOException {
    Path site = Files.createDirectories(dir.resolve("site"));
    byte[] payload = "<h1>the shop</h1>\n".getBytes(StandardCharsets.US_ASCII);
    Files.write(site.resolve("index.html"), payload);
    digest = SteadyLoad.sha256(payload);
  }

  private Running serve(String name, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("serve", dir.resolve("site").toString()));
    arguments.addAll(List.of("--handoff", "unix:" + socket(name), "--name", name));
    arguments.addAll(List.of(more));
    Running server =
        Running.peekpass(dir, name + System.nanoTime(), arguments.toArray(String[]::new));
    server.awaitOutput("it serves", () -> server.output().contains("serving"));
    return server;
  }

  private Path socket(String name) {
    return dir.resolve(name + ".sock");
  }

  private Running proxy(String web) throws IOException {
    return Running.proxy(
        dir,
        """
        access-log: true
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          web: { handoff: ["unix:%s", "unix:%s"], hand-off-timeout: 80s, max-queue: 100000, %s }
          sorry: { handoff: "unix:%s" }
        routes:
          - { host: %s, backend: web }
        fallback: sorry
        """
            .formatted(socket("a"), socket("b"), web, socket("sorry"), Site.NAME));
  }

  private SteadyLoad load(Running proxy) {
    return new SteadyLoad(proxy.port(0), "/", digest, RATE);
  }

  private static void awaitMore(SteadyLoad load, int connections) {
    int until = load.done() + connections;
    Running.await("more connections are served", () -> load.done() >= until);
  }

  private static Set<String> backendsSince(SteadyLoad load, long nanos) {
    Set<String> backends = new TreeSet<>();
    load.entries().stream()
        .filter(entry -> entry.begunNanos() > nanos)
        .forEach(entry -> backends.add(entry.backend()));
    return backends;
  }

  private static void signal(String name, Running of) throws Exception {
    Process kill = new ProcessBuilder("kill", "-" + name, "" + of.process.pid()).start();
    assertThat(kill.waitFor()).isZero();
  }

  /** The states of web's sockets, as status tells them. */
  private Map<String, String> states() {
    try {
      Running.Done done =
          Running.run(
              dir,
              Running.ROOT.resolve("peekpass").toString(),
              "status",
              "--json",
              "--admin",
              "unix:" + dir.resolve("admin.sock"));
      Map<String, String> states = new HashMap<>();
      Matcher matcher = STATE.matcher(done.output());
      while (matcher.find()) {
        states.put(matcher.group(1), matcher.group(2));
      }
      return states;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static String get(Running proxy, String from) throws IOException {
    try (Socket client = new Socket()) {
      client.setSoTimeout(90_000);
      client.bind(new InetSocketAddress(InetAddress.getByName(from), 0));
      client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), proxy.port(0)));
      String head = "GET / HTTP/1.1\r\nHost: " + Site.NAME + "\r\nConnection: close\r\n\r\n";
      client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      String response =
          new String(client.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      Matcher backend = BACKEND.matcher(response);
      assertThat(backend.find()).as(response).isTrue();
      return backend.group(1);
    }
  }

  @Test
  void oneIsKilledTheOtherDrainsAndTheBackupTakesOverUntilOneIsBack() throws Exception {
    try (Running sorry = serve("sorry");
        Running a = serve("a");
        Running b = serve("b");
        Running proxy = proxy("balance: least-connections, backup: sorry")) {
      SteadyLoad load = load(proxy);
      try (load) {
        Running.await("both serve", () -> backendsSince(load, 0).containsAll(Set.of("a", "b")));
        a.kill();
        awaitMore(load, RATE);
        long onlyB = System.nanoTime();
        awaitMore(load, RATE);
        assertThat(backendsSince(load, onlyB)).isSubsetOf("b");

        assertThat(b.stop()).isZero();
        long nobody = System.nanoTime();
        awaitMore(load, RATE);
        // At once: hand-off-timeout is 80 s.
        assertThat(backendsSince(load, nobody)).isSubsetOf("sorry").isNotEmpty();
        assertThat(states()).containsEntry("a", "down").containsEntry("b", "down");

        try (Running again = serve("a")) {
          long back = System.nanoTime();
          Running.await("it is found", () -> backendsSince(load, back).contains("a"));
          long found = System.nanoTime();
          awaitMore(load, RATE);
          assertThat(backendsSince(load, found)).containsExactly("a");
          assertThat(again.stop()).isZero();
        }
      }
      List<SteadyLoad.Entry> failed =
          load.entries().stream().filter(SteadyLoad.Entry::failed).toList();
      // What a had taken when it was killed went with it.
      assertThat(failed).hasSizeLessThan(RATE / 4);
      assertThat(sorry.stop()).isZero();
    }
  }

  @Test
  void aClientStaysWithItsBackendAndOnlyTheOneThatEndsLosesItsClients() throws Exception {
    Map<String, String> before = new HashMap<>();
    try (Running a = serve("a");
        Running b = serve("b");
        Running proxy = proxy("balance: source-hash")) {
      // Whose receiver has not said hello yet is not there yet.
      for (int i = 1; i <= 12; i++) {
        get(proxy, "127.0.2." + i);
      }
      for (int round = 0; round < 3; round++) {
        for (int i = 1; i <= 12; i++) {
          String from = "127.0.2." + i;
          String backend = get(proxy, from);
          assertThat(before.computeIfAbsent(from, any -> backend)).isEqualTo(backend);
        }
      }
      assertThat(before.values()).contains("a", "b");
      a.kill();
      for (String from : before.keySet()) {
        assertThat(get(proxy, from)).isEqualTo("b");
      }
      try (Running again = serve("a")) {
        String ofA =
            before.keySet().stream()
                .filter(from -> "a".equals(before.get(from)))
                .findFirst()
                .orElseThrow();
        Running.await(
            "its clients are back",
            () -> {
              try {
                return get(proxy, ofA).equals("a");
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
        for (String from : before.keySet()) {
          assertThat(get(proxy, from)).isEqualTo(before.get(from));
        }
        assertThat(again.stop()).isZero();
      }
      assertThat(b.stop()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"round-robin", "least-connections"})
  void aPlainBackendThatFreezesKeepsAFewConnectionsAndTheOtherServes(String balance)
      throws Exception {
    try (Running a = serve("a", "--socket-type", "stream");
        Running b = serve("b", "--socket-type", "stream");
        Running proxy = proxy("balance: " + balance)) {
      SteadyLoad load = load(proxy);
      long frozen;
      int served;
      try (load) {
        Running.await("both serve", () -> backendsSince(load, 0).containsAll(Set.of("a", "b")));
        signal("STOP", b);
        frozen = System.nanoTime();
        awaitMore(load, 4 * RATE);
        served = (int) load.entries().stream().filter(e -> e.begunNanos() > frozen).count();
        signal("CONT", b);
        awaitMore(load, RATE);
      }
      assertThat(load.entries().stream().filter(SteadyLoad.Entry::failed)).isEmpty();
      assertThat(served).isGreaterThan(2 * RATE);
      long hung =
          load.entries().stream()
              .filter(e -> e.begunNanos() > frozen && e.backend().equals("b"))
              .filter(e -> e.endedNanos() - e.begunNanos() > 500_000_000L)
              .count();
      // Round-robin that does not look would have half of them hang.
      assertThat(hung).isLessThan(RATE / 2);
      assertThat(a.stop()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http: { path: /index.html, host: shop.example.test }",
        "tls: { server-name: shop.example.test }"
      })
  void aBackendThatHangsLeavesByItsProbeAndComesBack(String question) throws Exception {
    Tool.require("openssl");
    TestCertificate made = TestCertificate.make(dir, Site.NAME);
    String[] options = {
      "--socket-type",
      "stream",
      "--tls-cert",
      made.certificate().toString(),
      "--tls-key",
      made.key().toString()
    };
    // One that takes no plain HTTP answers the HTTP probe only without a certificate.
    boolean tls = question.startsWith("tls");
    String[] plain = {"--socket-type", "stream"};
    try (Running a = serve("a", tls ? options : plain);
        Running b = serve("b", tls ? options : plain);
        Running proxy =
            proxy("probe: { " + question + ", every: 200ms, timeout: 5s, rise: 1, fall: 1 }")) {
      Running.await("both answer", () -> asked(a, tls) && asked(b, tls));
      assertThat(states()).doesNotContainValue("unhealthy");
      signal("STOP", b);
      Running.await("it is found out", () -> "unhealthy".equals(states().get("b")));
      assertThat(states()).doesNotContainEntry("a", "unhealthy");
      signal("CONT", b);
      Running.await("it is back", () -> !"unhealthy".equals(states().get("b")));
      assertThat(proxy.errors())
          .contains("b.sock is unhealthy: 1 probes in a row have failed")
          .contains("no answer within 5000 ms")
          .contains("b.sock is healthy again")
          .doesNotContain("a.sock is unhealthy");
      assertThat(proxy.stop()).isZero();
    }
  }

  /** Whether it has logged a request; of a handshake alone it logs nothing. */
  private static boolean asked(Running server, boolean tls) {
    return tls || server.output().contains("\"GET /index.html");
  }
}
