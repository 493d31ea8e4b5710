package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code batch: 8} from the real proxy to real receivers: no connection is lost or mixed up. */
@Tag("processes")
class BatchTest {
  private static final int CONNECTIONS = 2000;

  /** How many are there at once when the proxy comes to look. */
  private static final int WAVE = 200;

  private static final int AT_ONCE = 32;

  /** Room for what a small server has open itself, and fewer connections than a wave has. */
  private static final int DESCRIPTOR_LIMIT = 160;

  private static final String NAME = "a.example";

  @TempDir private Path dir;

  private Path socket() {
    return dir.resolve("r.sock");
  }

  private Running proxy(String method) throws IOException {
    return Running.proxy(
        dir,
        """
        access-log: true
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          r: { handoff: "unix:%s", method: %s, batch: 8, hand-off-timeout: 1m }
        routes:
          - { host: %s, backend: r }
        """
            .formatted(socket(), method, NAME));
  }

  /** {@code peekpass serve} under a limit of open descriptors. */
  private Running serve(int descriptors, String... more) throws IOException {
    List<String> command = new ArrayList<>(List.of("sh", "-c"));
    command.add("ulimit -n " + descriptors + "; exec \"$@\"");
    command.addAll(List.of("sh", Running.ROOT.resolve("peekpass").toString(), "serve"));
    command.addAll(List.of(dir.toString(), "--handoff", "unix:" + socket(), "--whoami"));
    command.addAll(List.of(more));
    Running server = Running.start(dir, "serve", command);
    server.awaitOutput("the socket is there", () -> Files.exists(socket()));
    return server;
  }

  /** The Python receiver that docs/protocol.md prints. */
  private Running python(String kind) throws IOException {
    Tool.require("python3");
    String document = Files.readString(Running.ROOT.resolve("docs/protocol.md"));
    Matcher matcher =
        Pattern.compile("<!-- receiver: " + kind + " -->\n```python\n(.*?)```", Pattern.DOTALL)
            .matcher(document);
    assertThat(matcher.find()).isTrue();
    Path script = Files.writeString(dir.resolve("receiver.py"), matcher.group(1));
    Running python =
        Running.start(dir, "python", List.of("python3", script.toString(), socket().toString()));
    python.awaitOutput("it is bound", () -> Files.exists(socket()));
    return python;
  }

  private static Socket request(int port) throws IOException {
    Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
    client
        .getOutputStream()
        .write(
            ("GET /.peekpass/whoami HTTP/1.1\r\nHost: " + NAME + "\r\nConnection: close\r\n\r\n")
                .getBytes(StandardCharsets.US_ASCII));
    return client;
  }

  /** Whether the backend tells this client its own address. */
  private static boolean isAnswered(Socket client) throws IOException {
    String answer = new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
    return answer.matches(
        "(?s)HTTP/1.[01] 200 .*127\\.0\\.0\\.1:" + client.getLocalPort() + "\\D.*");
  }

  /** All of a wave's clients are there before the proxy sees the first. */
  private static int wave(Running proxy) throws IOException {
    int port = proxy.port(0);
    List<Socket> clients = new ArrayList<>();
    int answered = 0;
    try {
      signal(proxy, "-STOP");
      try {
        for (int i = 0; i < WAVE; i++) {
          clients.add(request(port));
        }
      } finally {
        signal(proxy, "-CONT");
      }
      for (Socket client : clients) {
        answered += isAnswered(client) ? 1 : 0;
      }
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
    return answered;
  }

  private static void signal(Running running, String signal) throws IOException {
    try {
      Process kill =
          new ProcessBuilder("kill", signal, String.valueOf(running.process.pid()))
              .inheritIO()
              .start();
      assertThat(kill.waitFor()).isZero();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** As many clients as that, some at a time; returns how many had their answer. */
  private static int load(Running proxy, int count) throws Exception {
    int port = proxy.port(0);
    try (ExecutorService clients = Executors.newFixedThreadPool(AT_ONCE)) {
      List<Callable<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        all.add(() -> {
          try (Socket client = request(port)) {
            return isAnswered(client);
          }
        });
      }
      int answered = 0;
      for (Future<Boolean> each : clients.invokeAll(all)) {
        answered += each.get() ? 1 : 0;
      }
      return answered;
    }
  }

  private static long counted(Running proxy, String name) {
    Matcher matcher = Pattern.compile("[ ;:]" + name + "=(\\d+)").matcher(proxy.errors());
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  private static void assertAllPassedInFewerMessages(Running proxy, int connections) {
    assertThat(proxy.stop()).isZero();
    assertThat(counted(proxy, "passed")).isEqualTo(connections);
    assertThat(proxy.output().lines().filter(line -> line.contains(" outcome=passed ")))
        .hasSize(connections);
    assertThat(counted(proxy, "messages-sent")).isPositive().isLessThan(connections);
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "auto", "datagram"})
  void everyConnectionArrivesAtAJavaReceiver(String method) throws Exception {
    String[] more = {"--socket-type", Site.socketType(method)};
    try (Running server = serve(4096, more);
        Running proxy = proxy(method)) {
      assertThat(wave(proxy)).isEqualTo(WAVE);
      assertThat(load(proxy, CONNECTIONS - WAVE)).isEqualTo(CONNECTIONS - WAVE);

      assertAllPassedInFewerMessages(proxy, CONNECTIONS);
      assertThat(server.process.isAlive()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"stream", "datagram"})
  void everyConnectionArrivesAtAPythonReceiver(String kind) throws Exception {
    try (Running python = python(kind);
        Running proxy = proxy("auto")) {
      assertThat(wave(proxy)).isEqualTo(WAVE);
      assertThat(load(proxy, CONNECTIONS - WAVE)).isEqualTo(CONNECTIONS - WAVE);

      assertAllPassedInFewerMessages(proxy, CONNECTIONS);
      assertThat(python.process.isAlive()).isTrue();
    }
  }

  @Test
  void aReceiverAtItsDescriptorLimitLosesNone() throws Exception {
    String head = "GET /.peekpass/whoami HTTP/1.1\r\nHost: " + NAME + "\r\n\r\n";
    try (Running server = serve(DESCRIPTOR_LIMIT, "--socket-type", "stream");
        Running proxy = proxy("persistent");
        ExecutorService readers = Executors.newVirtualThreadPerTaskExecutor()) {
      // What the server does for the first time for a request, it does now.
      assertThat(load(proxy, 1)).isOne();
      CountDownLatch limitReached = new CountDownLatch(1);
      List<Socket> clients = new ArrayList<>();
      List<Future<Boolean>> answers = new ArrayList<>();
      signal(proxy, "-STOP");
      try {
        for (int i = 0; i < WAVE; i++) {
          Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0));
          clients.add(client);
          client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        }
      } finally {
        signal(proxy, "-CONT");
      }
      for (Socket client : clients) {
        answers.add(
            readers.submit(() -> {
              // Kept alive, so that it goes on holding a descriptor of the server's.
              String status =
                  new String(client.getInputStream().readNBytes(15), StandardCharsets.US_ASCII);
              limitReached.await();
              client.close();
              return status.equals("HTTP/1.1 200 OK");
            }));
      }
      server.awaitOutput(
          "the server is at its limit", () -> server.errors().contains("until there is room"));
      limitReached.countDown();
      for (Future<Boolean> answer : answers) {
        assertThat(answer.get()).isTrue();
      }

      assertThat(load(proxy, WAVE)).isEqualTo(WAVE);
      assertAllPassedInFewerMessages(proxy, 2 * WAVE + 1);
      assertThat(server.process.isAlive()).isTrue();
    }
  }
}
