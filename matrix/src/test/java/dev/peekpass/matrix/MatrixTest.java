package dev.peekpass.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every server of {@link Row} behind one real proxy. {@code scripts/matrix} writes what comes out
 * into docs/receivers.md; each connection's outcome is in {@code target/matrix}.
 */
class MatrixTest {
  private static final int CONNECTIONS = 2000;
  private static final int RESETS = 300;
  private static final int THREADS = 4;
  private static final String MARK = "<!-- matrix: written by scripts/matrix -->\n";
  private static final String END_MARK = "<!-- end of matrix -->\n";

  @TempDir private static Path dir;
  private static @Nullable Running running;
  private static @Nullable SSLContext tls;
  private static final Map<Row, String> results = new LinkedHashMap<>();

  private final Running proxy = known(running);
  private final SSLContext keys = known(tls);

  private static <T> T known(@Nullable T value) {
    if (value == null) {
      throw new AssertionError("set before all tests");
    }
    return value;
  }

  private static Path keyStore() {
    return dir.resolve("keys.p12");
  }

  private static Path socket(Row row) {
    return dir.resolve(row.id() + ".sock");
  }

  @BeforeAll
  static void start() throws Exception {
    Running.Done made =
        Running.run(
            dir,
            System.getProperty("java.home") + "/bin/keytool",
            "-genkeypair",
            "-alias",
            "matrix",
            "-keyalg",
            "EC",
            "-dname",
            "CN=matrix",
            "-ext",
            "SAN=dns:*.matrix.test",
            "-keystore",
            keyStore().toString(),
            "-storepass",
            Tls.PASSWORD);
    assertThat(made.status()).as(made.errors()).isZero();
    tls = Tls.context(keyStore().toString());
    StringBuilder yaml =
        new StringBuilder(
            """
            listeners:
              - { bind: "127.0.0.1:0" }
              - { bind: "127.0.0.1:0", peek: none, fallback: echo }
            backends:
            """);
    for (Row row : Row.all()) {
      yaml.append("  %s: { handoff: \"unix:%s\" }\n".formatted(row.id(), socket(row)));
    }
    yaml.append("routes:\n");
    for (Row row : Row.all()) {
      yaml.append("  - { host: %s, backend: %s }\n".formatted(host(row), row.id()));
    }
    running = Running.proxy(dir, yaml.toString());
  }

  private static String host(Row row) {
    return row.id() + ".matrix.test";
  }

  @AfterAll
  static void stop() throws IOException {
    if (running != null) {
      running.close();
    }
    StringBuilder table =
        new StringBuilder(
            """
            | server | by | address | keep-alive | 64 MiB each way | %,d connections | %d resets | close | descriptors left |
            | --- | --- | --- | --- | --- | --- | --- | --- | --- |
            """
                .formatted(CONNECTIONS, RESETS));
    results.values().forEach(table::append);
    System.out.println(table);
    if (Boolean.getBoolean("peekpass.matrix.write")) {
      Path document = Running.ROOT.resolve("docs/receivers.md");
      String text = Files.readString(document);
      int from = text.indexOf(MARK) + MARK.length();
      int to = text.indexOf(END_MARK);
      assertThat(to).as("docs/receivers.md has the marks").isGreaterThanOrEqualTo(from);
      Files.writeString(document, text.substring(0, from) + table + text.substring(to));
    }
  }

  static Stream<Row> rows() {
    return Row.all().stream().filter(row -> row.id().matches(System.getProperty("row", ".*")));
  }

  private Talk talk(Row row) {
    String host = host(row);
    int port = proxy.port(0);
    return switch (row.protocol()) {
      // Helidon 4.2.0 leaves that to the client, on plain TCP too.
      case HTTP -> new HttpTalk(host, port, null, !row.id().equals("helidon"));
      case HTTPS -> new HttpTalk(host, port, keys);
      case H2 -> new Http2Talk(host, port, keys);
      case GRPC -> new GrpcTalk(host, port, keys, keyStore().toString());
      case ECHO -> new EchoTalk(proxy.port(1));
    };
  }

  @ParameterizedTest
  @MethodSource("rows")
  void behavesAsOnPlainTcp(Row row) throws Exception {
    List<String> cells = new ArrayList<>();
    cells.add(row.server());
    cells.add(row.way().toString().toLowerCase(java.util.Locale.ROOT));
    results.put(row, line(cells, "failed"));
    Talk talk = talk(row);
    try (Running server =
        Running.start(dir, row.id(), row.command(Running.ROOT, socket(row), keyStore()))) {
      server.awaitOutput(
          "it is ready",
          () -> server.output().contains("ready") || server.output().contains("Started Boot"));
      long pid = server.process.pid();
      talk.once();
      cells.add("its own");
      talk.keepAlive();
      cells.add("yes");
      cells.add("whole");
      awaitNoConnections(pid);
      // As many at a time as later, so that every pool is filled.
      connect(row, talk, "warm-up", 50);
      awaitNoConnections(pid);
      long before = Descriptors.others(pid);

      connect(row, talk, "connections", CONNECTIONS);
      cells.add("all");
      resetAmongOthers(row, talk);
      cells.add("no harm");

      String closed = end(server, talk, pid, before);
      cells.add(closed);
      cells.add("none");
    }
    results.put(row, line(cells, ""));
  }

  private static String line(List<String> cells, String more) {
    return "| " + String.join(" | ", cells) + (more.isEmpty() ? "" : " | " + more) + " |\n";
  }

  private static void awaitNoConnections(long pid) {
    Running.await(
        "no connection is left in it", () -> quietly(() -> Descriptors.connections(pid)) == 0);
  }

  private interface Count {
    long get() throws IOException;
  }

  private static long quietly(Count count) {
    try {
      return count.get();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** One connection after the other in each of some threads, with a line in the log for each. */
  private static void connect(Row row, Talk talk, String phase, int connections) throws Exception {
    Path logs = Files.createDirectories(Path.of("target/matrix"));
    List<String> log = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
      List<Future<String>> outcomes = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        int number = i;
        outcomes.add(threads.submit(() -> outcome(number, talk)));
      }
      for (Future<String> outcome : outcomes) {
        log.add(outcome.get());
      }
    }
    Files.write(logs.resolve(row.id() + "-" + phase + ".log"), log);
    assertThat(log).filteredOn(line -> !line.endsWith(" ok")).isEmpty();
    assertThat(log).hasSize(connections);
  }

  private static String outcome(int number, Talk talk) {
    try {
      talk.once();
      return number + " ok";
    } catch (Exception | AssertionError e) {
      return number + " FAILED " + e;
    }
  }

  /** Clients that leave while they are on their way, among others that must not notice. */
  private static void resetAmongOthers(Row row, Talk talk) throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      Future<?> resetting =
          threads.submit(() -> {
            for (int i = 0; i < RESETS; i++) {
              talk.reset();
            }
            return null;
          });
      connect(row, talk, "among-resets", RESETS);
      resetting.get();
    }
    connect(row, talk, "after-resets", THREADS);
  }

  /** SIGTERM while a client is connected: the process ends, the client sees an end and no reset. */
  private static String end(Running server, Talk talk, long pid, long before) throws Exception {
    awaitNoConnections(pid);
    Running.await(
        "it holds no more than before: " + before,
        () -> quietly(() -> Descriptors.others(pid)) <= before);
    try (Socket open = (Socket) talk.open()) {
      assertThat(Descriptors.connections(pid)).isOne();
      // 143 is a JVM that was ended by SIGTERM.
      assertThat(server.stop()).isIn(0, 143);
      try {
        while (open.getInputStream().read() >= 0) {
          // What a protocol says in farewell.
        }
      } catch (SocketException e) {
        throw new AssertionError("reset at the end", e);
      } catch (SSLException e) {
        // No close_notify: the process has ended.
      }
    }
    return "clean";
  }
}
