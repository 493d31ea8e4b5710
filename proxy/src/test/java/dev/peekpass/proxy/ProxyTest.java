package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The proxy in this process, on the real kernel, with receivers that the test holds the reins of.
 */
class ProxyTest {
  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: Shop.Example.\r\n\r\n";

  @TempDir private Path dir;
  private long descriptorsBefore;

  @BeforeEach
  void countDescriptors() throws Exception {
    // What the JDK opens once and keeps must not count.
    try (Running warm = new Running(config("auto", "{ reject: close }"));
        Socket client = warm.connect()) {
      send(client, "?");
      readAll(client);
    }
    descriptorsBefore = Tests.openDescriptors();
  }

  @AfterEach
  void nothingLeaks() {
    Tests.await("every descriptor is closed", () -> Tests.openDescriptors() <= descriptorsBefore);
  }

  /** A service manager or an old process that shares the socket may do that. */
  @Test
  void aListenerThatSomebodyShutsDownListensAgain() throws Exception {
    Kernel kernel = LinuxKernel.open();
    // Only a socket that was bound to a port by number keeps it then.
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    String yaml = config("auto", "{ reject: close }").replace("127.0.0.1:0", "127.0.0.1:" + port);
    try (Running running = new Running(yaml)) {
      for (Fd shared :
          running.proxy.duplicateSockets().keySet().stream().map(s -> s.fd()).toList()) {
        assertThat(kernel.shutdown(shared, Linux.SHUT_RD)).isZero();
        kernel.close(shared);
      }
      Tests.await("it is seen", () -> running.count(Counter.ACCEPT_FAILED) > 0);
      Tests.await(
          "it listens again",
          () -> {
            try (Socket client = running.connect()) {
              send(client, "?");
              readAll(client);
              return true;
            } catch (Exception e) {
              return false;
            }
          });

      assertThat(running.count(Counter.ACCEPT_FAILED)).isLessThan(10);
    }
  }

  private Path socket(String name) {
    return dir.resolve(name);
  }

  private String config(String method, String fallback) {
    return """
    access-log: true
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 10s }
    backends:
      shop: { handoff: "unix:%s", method: %s, hand-off-timeout: 10s }
      other: { handoff: "unix:%s" }
    routes:
      - { host: shop.example, backend: shop }
    fallback: %s
    """
        .formatted(socket("shop"), method, socket("other"), fallback);
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  private static String readAll(Socket socket) throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  private TestReceiver receiver(String method, Path path) throws IOException {
    return method.equals("datagram") ? TestReceiver.datagram(path) : TestReceiver.stream(path);
  }

  @ParameterizedTest
  @CsvSource({"once", "persistent", "datagram", "auto"})
  void aConnectionArrivesUntouchedByEveryMethod(String method) throws Exception {
    try (TestReceiver shop = receiver(method, socket("shop"));
        Running running = new Running(config(method, "{ reject: close }"))) {
      for (int i = 0; i < 3; i++) {
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          Fd fd = shop.take();

          assertThat(shop.peer(fd)).isEqualTo("127.0.0.1:" + client.getLocalPort());
          assertThat(shop.read(fd)).isEqualTo(REQUEST);
          shop.answer(fd, "hello");
          assertThat(readAll(client)).isEqualTo("hello");
        }
      }
      assertThat(running.count(Outcome.PASSED)).isEqualTo(3);
      assertThat(running.count(Counter.CHANNEL_OPENED)).isEqualTo(method.equals("once") ? 3 : 1);
    }
  }

  @Test
  void autoFindsADatagramSocket() throws Exception {
    try (TestReceiver shop = TestReceiver.datagram(socket("shop"));
        Running running = new Running(config("auto", "{ reject: close }"));
        Socket client = running.connect()) {
      send(client, REQUEST);
      Fd fd = shop.take();
      shop.answer(fd, "by datagram");

      assertThat(readAll(client)).isEqualTo("by datagram");
    }
  }

  @Test
  void theProxyKeepsNothingOfAPassedConnection() throws Exception {
    List<Socket> clients = new ArrayList<>();
    List<Fd> taken = new ArrayList<>();
    try (TestReceiver shop = TestReceiver.stream(socket("shop"))) {
      try (Running running = new Running(config("auto", "{ reject: close }"))) {
        // A channel is made before it is needed.
        Tests.await("it has a channel", () -> running.count(Counter.CHANNEL_OPENED) == 1);
        long before = Tests.openDescriptors();
        for (int i = 0; i < 50; i++) {
          Socket client = running.connect();
          clients.add(client);
          send(client, REQUEST);
          taken.add(shop.take());
        }
        Tests.await("all are counted", () -> running.count(Outcome.PASSED) == 50);
        // Client and receiver each hold one, and the receiver its end of the channel.
        assertThat(Tests.openDescriptors()).isEqualTo(before + 50 + 50 + 1);
      }
      // The proxy has gone, the connections have not.
      for (int i = 0; i < 50; i++) {
        shop.answer(taken.get(i), "still here " + i);
        assertThat(readAll(clients.get(i))).isEqualTo("still here " + i);
      }
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
  }

  @Test
  void aHeadThatComesByteByByteIsPassedOnceItIsComplete() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(config("auto", "{ reject: close }"));
        Socket client = running.connect()) {
      client.setTcpNoDelay(true);
      for (int i = 0; i < REQUEST.length() - 1; i++) {
        send(client, REQUEST.substring(i, i + 1));
        assertThat(shop.poll()).isNull();
      }
      send(client, REQUEST.substring(REQUEST.length() - 1));
      Fd fd = shop.take();

      assertThat(shop.read(fd)).isEqualTo(REQUEST);
      shop.answer(fd, "done");
      assertThat(readAll(client)).isEqualTo("done");
      assertThat(running.count(Counter.INCOMPLETE_AT_FIRST_PEEK)).isOne();
    }
  }

  @Test
  void aHeadLargerThanTheFirstPeekIsPassedWhole() throws Exception {
    String large =
        "GET / HTTP/1.1\r\nCookie: " + "c".repeat(30_000) + "\r\nHost: shop.example\r\n\r\n";
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(config("auto", "{ reject: close }"));
        Socket client = running.connect()) {
      send(client, large);
      Fd fd = shop.take();

      assertThat(shop.read(fd)).isEqualTo(large);
      shop.close(fd);
    }
  }

  @Test
  void theReceiverGetsASocketWithNothingLeftOnIt() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(config("auto", "{ reject: close }"));
        Socket client = running.connect()) {
      for (int i = 0; i < REQUEST.length(); i++) {
        send(client, REQUEST.substring(i, i + 1));
      }
      Fd fd = shop.take();

      assertThat(shop.option(fd, Linux.SOL_SOCKET, 18 /* SO_RCVLOWAT */)).isOne();
      // -1, off, shows as an error number because options are read as 0 or more.
      assertThat(shop.option(fd, Linux.SOL_SOCKET, Linux.SO_PEEK_OFF)).isNegative();
      shop.close(fd);
    }
  }

  @Test
  void anUnknownNameIsAnsweredInTheClientsProtocol() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: http-status }"))) {
      try (Socket client = running.connect()) {
        send(client, "GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
        assertThat(readAll(client)).startsWith("HTTP/1.1 421 Misdirected Request\r\n");
      }
      try (Socket client = running.connect()) {
        client.getOutputStream().write(Hellos.withName("nobody.example"));
        assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
            .isEqualTo("15030300020270");
      }
      assertThat(running.count(Outcome.REFUSED_NO_ROUTE)).isEqualTo(2);
    }
  }

  @Test
  void aHelloWithoutANameGetsTheAlertToo() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: tls-alert }"));
        Socket client = running.connect()) {
      client.getOutputStream().write(Hellos.withoutName());

      assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
          .isEqualTo("15030300020270");
      assertThat(running.count(Outcome.REFUSED_NO_HOST)).isOne();
    }
  }

  @Test
  void aRefusedClientThatSentALotStillReadsTheAnswer() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: http-status }"));
        Socket client = running.connect()) {
      send(client, "POST / HTTP/1.1\r\nHost: nobody.example\r\n\r\n" + "x".repeat(300_000));

      assertThat(readAll(client)).startsWith("HTTP/1.1 421 ").endsWith("served here.\n");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', HTTP/1.1 400, REFUSED_MALFORMED",
    "'GET http://shop.example/ HTTP/1.1\r\nHost: a\r\n\r\n', HTTP/1.1 400, REFUSED_MALFORMED",
    "'CONNECT shop.example:80 HTTP/1.1\r\nHost: a\r\n\r\n', HTTP/1.1 400, REFUSED_MALFORMED"
  })
  void aMalformedHeadIsRefusedEvenWithAFallbackBackend(String head, String answer, Outcome outcome)
      throws Exception {
    try (TestReceiver other = TestReceiver.stream(socket("other"));
        Running running = new Running(config("auto", "other"));
        Socket client = running.connect()) {
      send(client, head);

      assertThat(readAll(client)).startsWith(answer);
      assertThat(running.count(outcome)).isOne();
      assertThat(other.poll()).isNull();
    }
  }

  @Test
  void anEmptyHostNamesNobodyAndGoesToTheFallback() throws Exception {
    try (TestReceiver other = TestReceiver.stream(socket("other"));
        Running running = new Running(config("auto", "other"));
        Socket client = running.connect()) {
      send(client, "GET / HTTP/1.1\r\nHost: \r\n\r\n");
      Fd fd = other.take();

      assertThat(other.read(fd)).isEqualTo("GET / HTTP/1.1\r\nHost: \r\n\r\n");
      other.close(fd);
    }
  }

  @Test
  void bytesThatAreNeitherTlsNorHttpGoToTheFallback() throws Exception {
    try (TestReceiver other = TestReceiver.stream(socket("other"));
        Running running = new Running(config("auto", "other"));
        Socket client = running.connect()) {
      send(client, "\u0000\u0001\u0002 not a protocol");
      Fd fd = other.take();

      assertThat(other.read(fd)).isEqualTo("\u0000\u0001\u0002 not a protocol");
      other.close(fd);
      Tests.await("it is counted", () -> running.count(Outcome.PASSED_TO_FALLBACK) == 1);
    }
  }

  @Test
  void half_aHelloThenTheEndIsRefusedAtOnce() throws Exception {
    byte[] hello = Hellos.withName("shop.example");
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(config("auto", "{ reject: tls-alert }"));
        Socket client = running.connect()) {
      client.getOutputStream().write(hello, 0, hello.length / 2);
      client.shutdownOutput();

      assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
          .as("decode_error")
          .isEqualTo("15030300020232");
      assertThat(running.count(Outcome.TRUNCATED)).isOne();
      assertThat(shop.poll()).isNull();
    }
  }

  @Test
  void sixteenMebibytesAnnouncedAreRefusedAtOnce() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: tls-alert }"));
        Socket client = running.connect()) {
      client
          .getOutputStream()
          .write(HexFormat.of().parseHex("16030140000100" + "ffffff0303" + "00".repeat(20)));
      client.getInputStream().readAllBytes();

      assertThat(
              running.count(Outcome.REFUSED_TOO_LARGE) + running.count(Outcome.REFUSED_MALFORMED))
          .isOne();
    }
  }

  @Test
  void aHeadThatNeverEndsIsCutAtTheLimit() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: http-status }"));
        Socket client = running.connect()) {
      send(client, "GET / HTTP/1.1\r\nHost: shop.example\r\nX: " + "x".repeat(70_000));

      assertThat(readAll(client)).startsWith("HTTP/1.1 431 ");
      assertThat(running.count(Outcome.REFUSED_TOO_LARGE)).isOne();
    }
  }

  @Test
  void aSilentClientAndASlowOneAreClosedInTime() throws Exception {
    String yaml = config("auto", "{ reject: http-status }").replace("10s }", "600ms }");
    yaml = yaml.replaceFirst("peek-timeout: 10s", "peek-timeout: 600ms");
    try (Running running = new Running(yaml);
        Socket silent = running.connect();
        Socket slow = running.connect()) {
      send(slow, "GET / HTTP/1.1\r\n");

      assertThat(readAll(slow)).startsWith("HTTP/1.1 408 ");
      assertThat(readAll(silent)).isEmpty();
      assertThat(running.count(Outcome.TIMED_OUT)).isEqualTo(2);
    }
  }

  @Test
  void aResetWhileIncompleteIsNoticed() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: close }"))) {
      Socket client = running.connect();
      send(client, "GET / HT");
      Tests.await("it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 1);
      client.setSoLinger(true, 0);
      client.close();

      Tests.await("it is ended", () -> running.count(Outcome.RESET) == 1);
    }
  }

  @Test
  void theOldestIncompleteConnectionMakesRoom() throws Exception {
    String yaml =
        config("auto", "{ reject: close }")
            .replaceFirst("peek-timeout: 10s", "peek-timeout: 60s, max-pending: 2");
    try (Running running = new Running(yaml);
        Socket first = running.connect();
        Socket second = running.connect();
        Socket third = running.connect()) {
      for (Socket client : List.of(first, second, third)) {
        long before = running.count(Counter.INCOMPLETE_AT_FIRST_PEEK);
        send(client, "GET");
        Tests.await(
            "it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) > before);
      }
      Tests.await("one is shed", () -> running.count(Outcome.SHED) == 1);

      assertThatThrownBy(
              () -> {
                if (first.getInputStream().read() < 0) {
                  throw new IOException("ended");
                }
              })
          .isInstanceOf(IOException.class);
      assertThat(running.count(Counter.MAX_PENDING_REACHED)).isOne();
    }
  }

  @Test
  void aListenerThatDoesNotPeekPassesBeforeTheFirstByte() throws Exception {
    String yaml =
        """
        listeners:
          - { bind: "127.0.0.1:0", peek: none, fallback: mail }
        backends:
          mail: { handoff: "unix:%s" }
        """
            .formatted(socket("mail"));
    try (TestReceiver mail = TestReceiver.stream(socket("mail"));
        Running running = new Running(yaml);
        Socket client = running.connect()) {
      Fd fd = mail.take();
      mail.answer(fd, "220 ready");

      assertThat(readAll(client)).isEqualTo("220 ready");
    }
  }

  @Test
  void aBackendThatIsNotThereYetIsWaitedFor() throws Exception {
    try (Running running = new Running(config("auto", "{ reject: close }"));
        Socket client = running.connect()) {
      send(client, REQUEST);
      Tests.await("it waits", () -> running.count(Counter.QUEUED) == 1);
      try (TestReceiver shop = TestReceiver.stream(socket("shop"))) {
        Fd fd = shop.take();
        shop.answer(fd, "here now");
        assertThat(readAll(client)).isEqualTo("here now");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "datagram", "once", "auto"})
  void aBackendThatRestartsIsFoundAgain(String method) throws Exception {
    try (Running running = new Running(config(method, "{ reject: close }"))) {
      for (int i = 0; i < 5; i++) {
        try (TestReceiver shop = receiver(method, socket("shop"));
            Socket client = running.connect()) {
          send(client, REQUEST);
          shop.answer(shop.take(), "life " + i);
          assertThat(readAll(client)).isEqualTo("life " + i);
        }
      }
      assertThat(running.count(Outcome.PASSED)).isEqualTo(5);
    }
  }

  @Test
  void withoutItsBackendAConnectionGoesToTheFallback() throws Exception {
    String yaml =
        config("auto", "other").replace("hand-off-timeout: 10s", "hand-off-timeout: 50ms");
    try (TestReceiver other = TestReceiver.stream(socket("other"));
        Running running = new Running(yaml);
        Socket client = running.connect()) {
      send(client, REQUEST);
      Fd fd = other.take();

      assertThat(other.read(fd)).isEqualTo(REQUEST);
      other.answer(fd, "sorry");
      assertThat(readAll(client)).isEqualTo("sorry");
      assertThat(running.count(Counter.HAND_OFF_TIMED_OUT)).isOne();
    }
  }

  @Test
  void withoutBackendAndFallbackTheClientIsTold() throws Exception {
    String yaml =
        config("auto", "{ reject: tls-alert }")
            .replace("hand-off-timeout: 10s", "hand-off-timeout: 50ms");
    try (Running running = new Running(yaml)) {
      try (Socket client = running.connect()) {
        send(client, REQUEST);
        assertThat(readAll(client)).startsWith("HTTP/1.1 503 ");
      }
      try (Socket client = running.connect()) {
        client.getOutputStream().write(Hellos.withName("shop.example"));
        assertThat(HexFormat.of().formatHex(client.getInputStream().readAllBytes()))
            .as("internal_error")
            .isEqualTo("15030300020250");
      }
      assertThat(running.count(Outcome.REFUSED_UNAVAILABLE)).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @CsvSource({"persistent, 1", "persistent, 2", "datagram, 1", "datagram, 8", "once, 1"})
  void aFullSocketMakesConnectionsWaitInOrderAndLosesNone(String method, int batch)
      throws Exception {
    // A stream socket's queue takes 278 messages, of two connections at most here.
    int count = batch == 1 ? 400 : 800;
    List<Socket> clients = new ArrayList<>();
    try (TestReceiver shop =
            method.equals("datagram")
                ? TestReceiver.datagram(socket("shop"))
                : new TestReceiver(socket("shop"), Linux.SOCK_STREAM, 1);
        Running running =
            new Running(
                config(method, "{ reject: close }")
                    .replace("hand-off-timeout: 10s", "hand-off-timeout: 60s, batch: " + batch))) {
      for (int i = 0; i < count; i++) {
        Socket client = running.connect();
        clients.add(client);
        send(client, "GET /" + i + " HTTP/1.1\r\nHost: shop.example\r\n\r\n");
      }
      Tests.await("some wait", () -> running.count(Counter.QUEUED) > 0);
      for (int i = 0; i < count; i++) {
        Fd fd = shop.take();
        String line = shop.read(fd).lines().findFirst().orElse("");
        shop.answer(fd, line);
      }
      for (int i = 0; i < count; i++) {
        assertThat(readAll(clients.get(i))).isEqualTo("GET /" + i + " HTTP/1.1");
      }
      Tests.await("all are counted", () -> running.count(Outcome.PASSED) == count);
      if (batch == 1) {
        assertThat(running.count(Counter.MESSAGES_SENT)).isEqualTo(count);
      } else {
        assertThat(running.count(Counter.MESSAGES_SENT)).isLessThan(count);
      }
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
  }

  @Test
  void beyondMaxQueueConnectionsAreTurnedAway() throws Exception {
    String yaml =
        config("auto", "{ reject: close }")
            .replace("hand-off-timeout: 10s", "hand-off-timeout: 60s, max-queue: 1");
    try (Running running = new Running(yaml);
        Socket first = running.connect();
        Socket second = running.connect()) {
      send(first, REQUEST);
      Tests.await("the first waits", () -> running.count(Counter.QUEUED) == 1);
      send(second, REQUEST);

      assertThat(readAll(second)).isEmpty();
      assertThat(running.count(Counter.MAX_QUEUE_REACHED)).isOne();
    }
  }

  @Test
  void connectionsTakeSeveralSocketsInTurn() throws Exception {
    String yaml =
        config("auto", "{ reject: close }")
            .replaceFirst(
                "handoff: \"unix:[^\"]*\"",
                "handoff: [\"unix:" + socket("one") + "\", \"unix:" + socket("two") + "\"]");
    try (TestReceiver one = TestReceiver.stream(socket("one"));
        TestReceiver two = TestReceiver.stream(socket("two"));
        Running running = new Running(yaml)) {
      for (int i = 0; i < 4; i++) {
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          TestReceiver expected = i % 2 == 0 ? one : two;
          expected.answer(expected.take(), "ok");
          assertThat(readAll(client)).isEqualTo("ok");
        }
      }
    }
  }

  @Test
  void theDualStackAddressGivesIpv4ClientsAnIpv4Socket() throws Exception {
    String yaml = config("auto", "{ reject: close }").replace("127.0.0.1:0", "[::]:0");
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(yaml)) {
      assertThat(running.proxy.addresses()).hasSize(2);
      int port = Integer.parseInt(running.proxy.addresses().get(0).replaceAll(".*:", ""));
      assertThat(running.proxy.addresses()).containsExactly("[::]:" + port, "0.0.0.0:" + port);
      for (String address : List.of("127.0.0.1", "::1")) {
        try (Socket client = new Socket(address, port)) {
          send(client, REQUEST);
          Fd fd = shop.take();
          assertThat(shop.option(fd, Linux.SOL_SOCKET, Linux.SO_DOMAIN))
              .isEqualTo(address.equals("::1") ? Linux.AF_INET6 : Linux.AF_INET);
          shop.close(fd);
        }
      }
    }
  }

  @Test
  void severalLoopsShareTheAddress() throws Exception {
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running("threads: 4\n" + config("auto", "{ reject: close }"))) {
      assertThat(running.proxy.addresses()).hasSize(1);
      for (int i = 0; i < 40; i++) {
        try (Socket client = running.connect()) {
          send(client, REQUEST);
          shop.answer(shop.take(), "ok");
          assertThat(readAll(client)).isEqualTo("ok");
        }
      }
      assertThat(shop.channelsAccepted).as("loops that passed something").isGreaterThan(1);
    }
  }

  @Test
  void aTakenPortIsAnErrorWithARemedyAndNothingStaysOpen() throws Exception {
    try (ServerSocket taken = new ServerSocket(0)) {
      String yaml =
          config("auto", "{ reject: close }")
              .replace("127.0.0.1:0", "127.0.0.1:" + taken.getLocalPort());

      for (String threads : List.of("", "threads: 2\n")) {
        assertThatThrownBy(() ->
                Proxy.start(
                    Tests.configuration(threads + yaml),
                    LinuxKernel::open,
                    (lines, length, givesUp) -> 0))
            .isInstanceOf(SystemCallException.class)
            .hasMessageContaining("EADDRINUSE")
            .hasMessageContaining("another process");
      }
    }
  }

  @Test
  void aTargetThatIsNotTheHostCountsWhereTheListenerSaysSo() throws Exception {
    String yaml =
        config("auto", "{ reject: close }")
            .replace("peek-timeout: 10s", "peek-timeout: 10s, on-mismatch: target");
    String request = "GET http://shop.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n";
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        Running running = new Running(yaml);
        Socket client = running.connect()) {
      send(client, request);
      Fd fd = shop.take();
      assertThat(shop.read(fd)).isEqualTo(request);
      shop.close(fd);
    }
  }

  @Test
  void noWildcardTakesANameThatReadersTakeForAnother() throws Exception {
    String yaml = config("auto", "{ reject: close }").replace("host: shop.example", "host: \"*\"");
    List<String> names =
        List.of("admin.example:x.shop.example", "b\u00c3\u00bc.shop.example", "a/b.shop.example");
    Running running = new Running(yaml);
    try (running) {
      for (String name : names) {
        try (Socket client = running.connect()) {
          client.getOutputStream().write(Hellos.withName(name));
          assertThat(readAll(client)).isEmpty();
        }
      }
      try (Socket client = running.connect()) {
        send(client, "GET / HTTP/1.1\r\nHost: %61dmin.shop.example\r\n\r\n");
        assertThat(readAll(client)).isEmpty();
      }
    }
    assertThat(running.count(Outcome.REFUSED_NO_ROUTE)).isEqualTo(names.size() + 1);
  }

  @Test
  void whatIsMalformedIsLoggedWithTheHostReadBefore() throws Exception {
    Running running = new Running(config("auto", "{ reject: close }"));
    try (running) {
      for (String head :
          List.of(
              "GET / HTTP/1.1\r\nHost: A.Example\r\nHost: b.example\r\n\r\n",
              "GET http://c.example/ HTTP/1.1\r\nHost: d.example\r\n\r\n",
              "GET / HTTP/1.1\r\n folded\r\nHost: e.example\r\n\r\n")) {
        try (Socket client = running.connect()) {
          send(client, head);
          readAll(client);
        }
      }
    }
    assertThat(running.log().lines())
        .anySatisfy(line ->
            assertThat(line).contains(" host=a.example ").contains("reason=\"more than one Host"))
        .anySatisfy(line ->
            assertThat(line)
                .contains(" host=c.example ")
                .contains("reason=\"target and Host")
                .endsWith(": Host is d.example\""))
        .anySatisfy(line -> assertThat(line).contains(" host=- ").contains("reason=\"line begins"))
        .allSatisfy(line -> assertThat(line).contains(" outcome=refused-malformed "));
  }

  @Test
  void theAccessLogHasALineForEachConnection() throws Exception {
    Running running = new Running(config("auto", "{ reject: close }"));
    String peer;
    try (TestReceiver shop = TestReceiver.stream(socket("shop"));
        running;
        Socket client = running.connect();
        Socket forger = running.connect()) {
      peer = "127.0.0.1:" + client.getLocalPort();
      send(client, REQUEST);
      shop.close(shop.take());
      forger.getOutputStream().write(Hellos.withName("a\nb \"c"));
      readAll(forger);
    }

    assertThat(running.log().lines())
        .anySatisfy(line ->
            assertThat(line)
                .contains(" client=" + peer + " ")
                .contains(
                    " protocol=http host=shop.example alpn=- ech=no route=line:8 backend=shop ")
                .containsPattern(" outcome=passed us=\\d+$"))
        .anySatisfy(line -> assertThat(line).contains(" host=a\\x0ab\\x20\\x22c alpn=- "))
        .hasSize(2);
  }

  @Test
  void stoppingFinishesWhatIsQueued() throws Exception {
    Running running = new Running(config("auto", "{ reject: close }"));
    try (Socket client = running.connect()) {
      send(client, REQUEST);
      Tests.await("it waits", () -> running.count(Counter.QUEUED) == 1);
      try (TestReceiver shop = TestReceiver.stream(socket("shop"))) {
        running.proxy.stop();
        shop.answer(shop.take(), "just in time");
        assertThat(readAll(client)).isEqualTo("just in time");
      }
      assertThat(running.proxy.await()).isTrue();
    }
  }
}
