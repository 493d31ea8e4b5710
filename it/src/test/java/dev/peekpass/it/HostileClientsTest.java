package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clients that mean ill or are broken, against the proxy as it is shipped. */
class HostileClientsTest {
  private static final long PEEK_TIMEOUT_MILLIS = 2000;
  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0", peek-timeout: %dms, max-peek: 64KiB }
      backends:
        nobody: { handoff: "unix:%s", hand-off-timeout: 200ms }
      routes:
        - { host: shop.example, backend: nobody }
      fallback: { reject: http-status }
      """;

  private static final long TOLERANCE_MILLIS = 1000;

  /** One for clients, one for the admin socket. */
  private static final int LISTENERS = 2;

  @TempDir private Path dir;
  private Running proxy;

  @BeforeEach
  void start() throws IOException {
    proxy = Running.proxy(dir, YAML.formatted(PEEK_TIMEOUT_MILLIS, dir.resolve("nobody.sock")));
    // One round warms it up, so that its classes and lazily opened descriptors are there.
    try (Socket client = connect()) {
      send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      assertThat(readAll(client)).startsWith("HTTP/1.1 421");
    }
    Running.await("the first client is gone", () -> proxy.sockets() == LISTENERS);
  }

  @AfterEach
  void nothingLeaksAndItStillServes() throws IOException {
    try (Running stopped = proxy) {
      try (Socket client = connect()) {
        send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(readAll(client)).startsWith("HTTP/1.1 421");
      }
      Running.await("no socket is left over", () -> proxy.sockets() == LISTENERS);
      assertThat(proxy.errors()).doesNotContain("fault in Peekpass");
      assertThat(stopped.stop()).isZero();
    }
  }

  private Socket connect() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0));
    socket.setTcpNoDelay(true);
    return socket;
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static String readAll(Socket socket) throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  private static long millisSince(long nanos) {
    return (System.nanoTime() - nanos) / 1_000_000;
  }

  /** Something that ends when the peek timeout is over. */
  private interface Wait {
    void untilClosed() throws IOException;
  }

  /**
   * Asserts that a wait takes the peek timeout, give or take a second. A machine that has too much
   * to do may make one attempt late, but hardly three.
   */
  private static void assertTakesThePeekTimeout(Wait wait) throws IOException {
    long millis = 0;
    for (int attempt = 0; attempt < 3; attempt++) {
      long start = System.nanoTime();
      wait.untilClosed();
      millis = millisSince(start);
      assertThat(millis).isGreaterThan(PEEK_TIMEOUT_MILLIS - TOLERANCE_MILLIS);
      if (millis < PEEK_TIMEOUT_MILLIS + TOLERANCE_MILLIS) {
        return;
      }
    }
    assertThat(millis).isCloseTo(PEEK_TIMEOUT_MILLIS, within(TOLERANCE_MILLIS));
  }

  @Test
  void aSilentClientIsClosedInTime() throws IOException {
    assertTakesThePeekTimeout(() -> {
      try (Socket client = connect()) {
        assertThat(readAll(client)).isEmpty();
      }
    });
  }

  @Test
  void aByteNowAndThenDoesNotMoveTheDeadline() throws IOException {
    assertTakesThePeekTimeout(() -> {
      try (Socket client = connect()) {
        Thread.ofVirtual().start(() -> drip(client));
        readAll(client);
      }
    });
  }

  private static void drip(Socket client) {
    try {
      send(client, "GET /");
      while (true) {
        Thread.sleep(100);
        send(client, "x");
      }
    } catch (IOException | InterruptedException e) {
      // The proxy has closed it, which is what is waited for.
    }
  }

  @Test
  void aHundredThousandOneByteSegmentsAreCutAtTheLimit() throws IOException {
    long before = cpuMillis();
    String answer = "";
    try (Socket client = connect()) {
      send(client, "GET /");
      for (int i = 0; i < 100_000; i++) {
        send(client, "x");
      }
      answer = readAll(client);
    } catch (SocketException e) {
      // Refused, and closed, before all was sent.
      answer = "HTTP/1.1 431 (" + e + ")";
    }
    assertThat(answer).startsWith("HTTP/1.1 431 ");
    // A test of order, not of speed: peeking anew from the start each time would take minutes.
    assertThat(cpuMillis() - before).as("CPU milliseconds of the proxy").isLessThan(20_000);
  }

  private long cpuMillis() {
    return proxy
        .process
        .info()
        .totalCpuDuration()
        .orElseThrow(() -> new AssertionError("the kernel tells CPU times"))
        .toMillis();
  }

  @Test
  void sixteenMebibytesAnnouncedAreRefusedAtOnce() throws IOException {
    try (Socket client = connect()) {
      client
          .getOutputStream()
          .write(HexFormat.of().parseHex("1603014000" + "01ffffff" + "0303" + "00".repeat(64)));
      assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
          .as("a fatal alert")
          .startsWith("1503030002022f");
    }
  }

  @Test
  void halfAHelloThenTheEndIsRefusedAtOnce() throws IOException {
    long start = System.nanoTime();
    try (Socket client = connect()) {
      client.getOutputStream().write(HexFormat.of().parseHex("16030102000100"));
      client.shutdownOutput();
      assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
          .as("decode_error")
          .isEqualTo("15030300020232");
      assertThat(millisSince(start)).isLessThan(PEEK_TIMEOUT_MILLIS);
    }
  }

  @Test
  void garbageIsClosed() throws IOException {
    Random random = new Random(20261123);
    for (int i = 0; i < 500; i++) {
      byte[] garbage = new byte[1 + random.nextInt(3000)];
      random.nextBytes(garbage);
      // Not a prefix of TLS or HTTP, which would be waited for.
      garbage[0] = (byte) 0x80;
      try (Socket client = connect()) {
        client.getOutputStream().write(garbage);
        readAll(client);
      }
    }
  }

  @Test
  void resetsAtAnyStepLeaveNothingBehind() throws IOException {
    byte[] head =
        "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);
    for (int i = 0; i <= head.length; i++) {
      for (int half = 0; half < 2; half++) {
        try (Socket client = connect()) {
          client.getOutputStream().write(head, 0, i);
          if (half == 1) {
            client.shutdownOutput();
          }
          client.setSoLinger(true, 0);
        }
      }
    }
  }

  @Test
  void resetsWhileWaitingForABackendLeaveNothingBehind() throws IOException {
    for (int i = 0; i < 50; i++) {
      try (Socket client = connect()) {
        send(client, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
        client.setSoLinger(true, 0);
      }
    }
    try (Socket client = connect()) {
      send(client, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
      assertThat(readAll(client)).startsWith("HTTP/1.1 503 ");
    }
  }

  @Test
  void manySlowClientsDoNotKeepAnHonestOneWaiting() throws IOException {
    List<Socket> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 1000; i++) {
        Socket client = connect();
        slow.add(client);
        send(client, "GET / HTTP/1.1\r\nHost:");
      }
      long start = System.nanoTime();
      try (Socket client = connect()) {
        send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(readAll(client)).startsWith("HTTP/1.1 421");
      }
      assertThat(millisSince(start)).isLessThan(PEEK_TIMEOUT_MILLIS);
    } finally {
      for (Socket client : slow) {
        client.close();
      }
    }
  }

  /** Clients leave a descriptor to whoever asks a proxy at its limit what is going on. */
  @Test
  void atTheLimitOfDescriptorsTheProxyStillGivesItsStatus() throws IOException {
    int limit = 260;
    Path admin = dir.resolve("asked.sock");
    Path config =
        Files.writeString(
            dir.resolve("asked.yaml"),
            "admin: \"unix:%s\"\n".formatted(admin)
                + YAML.formatted(60_000, dir.resolve("nobody.sock")));
    List<Socket> slow = new ArrayList<>();
    try (Running limited =
        Running.start(
            dir,
            "asked",
            List.of(
                "bash",
                "-c",
                "ulimit -n " + limit + "; exec \"$0\" run -c \"$1\"",
                Running.ROOT.resolve("peekpass").toString(),
                config.toString()))) {
      int port = limited.port(0);
      for (int i = 0; i < 2 * limit; i++) {
        slow(slow, "127.6.6.6", port);
      }
      Running.await("the limit is met", () -> limited.errors().contains("EMFILE"));
      for (int i = 0; i < 20; i++) {
        // Others take what was given up for this one.
        slow(slow, "127.6.6.6", port);
        assertThat(status(admin)).startsWith("{\"ok\":true,").contains("\"accept-limit-reached\"");
      }
      for (Socket client : slow) {
        client.close();
      }
      assertThat(limited.stop()).isZero();
      assertThat(limited.errors())
          .doesNotContain("admin socket: accept")
          .doesNotContain("fault in Peekpass");
    } finally {
      for (Socket client : slow) {
        client.close();
      }
    }
  }

  private static String status(Path admin) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(admin))) {
      channel.write(ByteBuffer.wrap("status\n".getBytes(StandardCharsets.UTF_8)));
      return new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** At its limit of descriptors, one address against a hundred honest ones that are slow. */
  @Test
  void atTheLimitOfDescriptorsOneAddressCannotGetOthersRefused() throws IOException {
    Path config =
        Files.writeString(
            dir.resolve("fair.yaml"), YAML.formatted(60_000, dir.resolve("nobody.sock")));
    List<Socket> clients = new ArrayList<>();
    List<Socket> honest = new ArrayList<>();
    try (Running limited =
        Running.start(
            dir,
            "fair",
            List.of(
                "bash",
                "-c",
                "ulimit -n 260; exec \"$0\" run -c \"$1\"",
                Running.ROOT.resolve("peekpass").toString(),
                config.toString()))) {
      int port = limited.port(0);
      for (int i = 1; i <= 100; i++) {
        honest.add(slow(clients, "127.0.1." + i, port));
        for (int j = 0; j < 4; j++) {
          slow(clients, "127.6.6.6", port);
        }
      }
      Running.await("the limit is met", () -> limited.errors().contains("EMFILE"));
      for (Socket client : honest) {
        send(client, " x\r\n\r\n");
        assertThat(readAll(client)).startsWith("HTTP/1.1 421");
      }
      for (Socket client : clients) {
        client.close();
      }
      assertThat(limited.stop()).isZero();
      assertThat(limited.errors())
          .contains("raise the limit of open files")
          .containsPattern(" shed=\\d+")
          .contains("refused-no-route=100")
          .doesNotContain("fault in Peekpass");
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
  }

  /** One from an address of its own, whose head stays incomplete. */
  private static Socket slow(List<Socket> clients, String from, int port) throws IOException {
    Socket client =
        new Socket(InetAddress.getLoopbackAddress(), port, InetAddress.getByName(from), 0);
    clients.add(client);
    try {
      send(client, "GET / HTTP/1.1\r\nHost:");
    } catch (IOException e) {
      // It was given up at once.
    }
    return client;
  }

  /** At its limit of descriptors the proxy gives up incomplete connections, not its life. */
  @Test
  void theLimitOfDescriptorsIsSurvivedWithoutSpinning() throws IOException {
    Path config =
        Files.writeString(
            dir.resolve("limited.yaml"), YAML.formatted(60_000, dir.resolve("nobody.sock")));
    List<Socket> slow = new ArrayList<>();
    try (Running limited =
        Running.start(
            dir,
            "limited",
            List.of(
                "bash",
                "-c",
                "ulimit -n 80; exec \"$0\" run -c \"$1\"",
                Running.ROOT.resolve("peekpass").toString(),
                config.toString()))) {
      int port = limited.port(0);
      for (int i = 0; i < 300; i++) {
        Socket client = new Socket(InetAddress.getLoopbackAddress(), port);
        slow.add(client);
        send(client, "GET / HTTP/1.1\r\nHost:");
      }
      Running.await("the limit is met", () -> limited.errors().contains("EMFILE"));
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
        send(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(readAll(client)).startsWith("HTTP/1.1 421");
      }
      for (Socket client : slow) {
        client.close();
      }
      assertThat(limited.stop()).isZero();
      assertThat(limited.errors())
          .contains("raise the limit of open files")
          .containsPattern(" shed=\\d+")
          .doesNotContain("fault in Peekpass");
    }
  }
}
