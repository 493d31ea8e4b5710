package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one client may do, by clients of many addresses on the real kernel: 127.0.0.0/8. */
class ClientLimitsTest {
  private static final String HOSTILE = "127.6.6.6";
  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
  private static final String HALF = REQUEST.substring(0, 20);

  @TempDir private Path dir;
  private final List<Socket> clients = new ArrayList<>();
  private TestReceiver shop;

  @BeforeEach
  void open() throws IOException {
    shop = TestReceiver.stream(dir.resolve("shop"));
    ErrorLog.take();
  }

  @AfterEach
  void close() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
    shop.close();
    assertThat(ErrorLog.take()).isEmpty();
  }

  private String yaml(String top, String listener) {
    return """
    %s
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 60s, max-pending: 200, defer-accept: false %s }
    backends: { shop: { handoff: "unix:%s" } }
    routes: [ { host: shop.example, backend: shop } ]
    """
        .formatted(top, listener, dir.resolve("shop"));
  }

  private Socket connect(Running running, String from) throws IOException {
    return connect(running, from, 0);
  }

  private Socket connect(Running running, String from, int listener) throws IOException {
    String address = running.proxy.addresses().get(listener);
    Socket socket = new Socket();
    clients.add(socket);
    socket.bind(new InetSocketAddress(from, 0));
    int colon = address.lastIndexOf(':');
    socket.connect(
        new InetSocketAddress(
            address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
    return socket;
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** One whose head stays incomplete, and is known to be so, or to have been turned away. */
  private Socket pending(Running running, String from) throws IOException {
    long before = seen(running);
    Socket socket = connect(running, from);
    try {
      send(socket, HALF);
    } catch (IOException e) {
      // It was turned away at once.
    }
    Tests.await("it is pending, or turned away", () -> seen(running) > before);
    return socket;
  }

  private static long seen(Running running) {
    return running.count(Counter.INCOMPLETE_AT_FIRST_PEEK)
        + running.count(Outcome.LIMITED)
        + running.count(Outcome.DENIED);
  }

  private void assertServed(Running running, Socket socket) throws IOException {
    long before = running.count(Outcome.PASSED);
    send(socket, REQUEST.substring(20));
    Fd fd = shop.take();
    shop.close(fd);
    Tests.await("it counts as passed", () -> running.count(Outcome.PASSED) > before);
  }

  private static void assertTurnedAway(Socket socket) {
    assertThatThrownBy(
            () -> {
              if (socket.getInputStream().read() < 0) {
                throw new IOException("ended");
              }
            })
        .isInstanceOf(IOException.class);
  }

  private static ListenerStatus status(Running running) {
    return running.proxy.status().listeners().getFirst();
  }

  /** Without any key: twice max-pending of one address, and a hundred others, slow as can be. */
  @Test
  void oneAddressCannotGetAHundredHonestSlowOnesShed() throws Exception {
    try (Running running = new Running(yaml("", ""))) {
      List<Socket> honest = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        honest.add(pending(running, "127.0.1." + (1 + i)));
      }
      for (int i = 0; i < 400; i++) {
        pending(running, HOSTILE);
      }
      for (int i = 50; i < 100; i++) {
        honest.add(pending(running, "127.0.1." + (1 + i)));
      }
      for (int i = 0; i < 200; i++) {
        pending(running, HOSTILE);
      }
      assertThat(status(running).pending()).isEqualTo(200);
      assertThat(status(running).clients()).isEqualTo(101);
      assertThat(running.count(Outcome.SHED)).isEqualTo(500);
      for (Socket client : honest) {
        assertServed(running, client);
      }
      assertThat(running.count(Outcome.PASSED)).isEqualTo(100);
      assertThat(running.proxy.status().clients()).isEqualTo(1);
      // An honest one that has come late sheds one of the hostile, too.
      assertServed(running, pending(running, "127.0.2.1"));
    }
  }

  /** Whoever lingers has had its answer, and is counted by no limit of a client's. */
  @Test
  void atTheDescriptorLimitWhoLingersGoesBeforeAnybodyWhoIsIncomplete() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    String yaml = yaml("", ", fallback: { reject: http-status }");
    try (Running running = new Running(yaml, kernel)) {
      Socket honest = pending(running, "127.0.1.1");
      List<Socket> answered = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        answered.add(answered(running));
      }
      AtomicInteger left = new AtomicInteger(2);
      kernel.fail("accept4", none -> left.getAndDecrement() > 0 ? -Errno.EMFILE : 0);
      Socket late = pending(running, "127.0.1.2");
      assertThat(running.count(Counter.ACCEPT_LIMIT_REACHED)).isEqualTo(2);
      assertThat(running.count(Counter.LINGER_LIMIT_REACHED)).isEqualTo(2);
      assertThat(running.count(Outcome.SHED)).isZero();
      assertServed(running, honest);
      assertServed(running, late);
      // The oldest went: what the proxy has closed refuses more with a reset, others take it.
      assertReset(answered.get(0));
      assertReset(answered.get(1));
      send(answered.get(2), HALF);
      assertThat(running.count(Outcome.REFUSED_NO_ROUTE)).isEqualTo(3);
    }
  }

  /** A watch is a limit, too, which who lingers has met. */
  @Test
  void whereAWatchIsRefusedWhoLingersGoesFirst() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    String yaml = yaml("", ", fallback: { reject: http-status }");
    try (Running running = new Running(yaml, kernel)) {
      Socket honest = pending(running, "127.0.1.1");
      Socket honestToo = pending(running, "127.0.1.1");
      Socket answered = answered(running);
      AtomicInteger once = new AtomicInteger(1);
      kernel.fail("epollCtl", none -> once.getAndDecrement() > 0 ? -Errno.ENOSPC : 0);
      Socket late = pending(running, "127.0.1.2");
      assertThat(once.get()).as("a watch was refused").isNegative();
      assertReset(answered);
      assertThat(running.count(Outcome.SHED)).isZero();
      for (Socket client : List.of(honest, honestToo, late)) {
        assertServed(running, client);
      }
    }
  }

  /** One that has its answer, and does not end its side. */
  private Socket answered(Running running) throws IOException {
    Socket socket = connect(running, HOSTILE);
    send(socket, REQUEST.replace("shop", "nobody"));
    byte[] answer = socket.getInputStream().readAllBytes();
    assertThat(new String(answer, StandardCharsets.US_ASCII)).startsWith("HTTP/1.1 4");
    return socket;
  }

  private static void assertReset(Socket socket) {
    Tests.await(
        "it is closed at the other end",
        () -> {
          try {
            send(socket, "x");
            return false;
          } catch (IOException e) {
            return true;
          }
        });
  }

  /** Where all have one the oldest of all goes, so that who comes to another listener is served. */
  @Test
  void atTheDescriptorLimitAListenerWithNothingPendingDoesNotStarve() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    String two =
        yaml("", "")
            .replace(
                "backends:",
                "  - { bind: \"127.0.0.1:0\", peek-timeout: 60s, defer-accept: false }\nbackends:");
    try (Running running = new Running(two, kernel)) {
      Socket oldest = pending(running, "127.0.1.1");
      Socket next = pending(running, "127.0.1.2");
      // Descriptors stay short until somebody is given up.
      kernel.fail("accept4", none -> running.count(Outcome.SHED) == 0 ? -Errno.EMFILE : 0);
      Socket other = running.connect(1);
      clients.add(other);
      send(other, HALF);
      Tests.await("it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 3);
      assertThat(running.count(Counter.ACCEPT_LIMIT_REACHED)).isOne();
      assertThat(running.count(Outcome.SHED)).isOne();
      assertTurnedAway(oldest);
      assertServed(running, next);
      assertServed(running, other);
    }
  }

  /** One that had two on each of ten listeners passed for lighter than one that has three. */
  @Test
  void atTheDescriptorLimitWhoSpreadsOverTenListenersIsWeighedByAllThatItHas() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    String more = "  - { bind: \"127.0.0.1:0\", peek-timeout: 60s, defer-accept: false }\n";
    String ten = yaml("", "").replace("backends:", more.repeat(9) + "backends:");
    try (Running running = new Running(ten, kernel)) {
      List<Socket> honest = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        honest.add(pending(running, "127.0.1.1"));
      }
      for (int i = 0; i < 20; i++) {
        long before = running.count(Counter.INCOMPLETE_AT_FIRST_PEEK);
        send(connect(running, HOSTILE, i % 10), HALF);
        Tests.await(
            "it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == before + 1);
      }
      AtomicInteger left = new AtomicInteger(16);
      kernel.fail("accept4", none -> left.getAndDecrement() > 0 ? -Errno.EMFILE : 0);
      Socket late = pending(running, "127.0.1.2");
      Tests.await("all are given up", () -> running.count(Outcome.SHED) == 16);
      assertServed(running, late);
      for (Socket client : honest) {
        assertServed(running, client);
      }
    }
  }

  @Test
  void theLimitOfAClientsPendingOnesIsItsOwn() throws Exception {
    try (Running running = new Running(yaml("", ", max-pending-per-client: 3"))) {
      List<Socket> three = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        three.add(pending(running, HOSTILE));
      }
      assertTurnedAway(pending(running, HOSTILE));
      Socket honest = pending(running, "127.0.0.2");
      assertServed(running, honest);
      assertThat(running.count(Outcome.LIMITED)).isOne();
      assertThat(running.count(Counter.MAX_PENDING_PER_CLIENT_REACHED)).isOne();
      assertThat(status(running).turnedAway()).isEqualTo(new ListenerStatus.TurnedAway(0, 1, 0));
      // As soon as one of its own is complete there is room for another.
      assertServed(running, three.getFirst());
      assertServed(running, pending(running, HOSTILE));
    }
  }

  @Test
  void ofNewOnesSoManyAreLetInAtOnceAndNoMore() throws Exception {
    try (Running running = new Running(yaml("", ", max-new-per-client: 3/m"))) {
      for (int i = 0; i < 3; i++) {
        assertServed(running, pending(running, HOSTILE));
      }
      assertTurnedAway(pending(running, HOSTILE));
      // Another limit changes nothing of the rate.
      running.proxy.reload(
          Tests.configuration(yaml("", ", max-new-per-client: 3/m, max-pending-per-client: 9")));
      assertTurnedAway(pending(running, HOSTILE));
      assertServed(running, pending(running, "127.0.0.2"));
      assertThat(running.count(Counter.MAX_NEW_PER_CLIENT_REACHED)).isEqualTo(2);
      assertThat(status(running).turnedAway()).isEqualTo(new ListenerStatus.TurnedAway(0, 0, 2));
      // Without one they come again.
      running.proxy.reload(Tests.configuration(yaml("", "")));
      assertServed(running, pending(running, HOSTILE));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"max-pending-per-client: 2", "max-new-per-client: 2/m"})
  void atTheTopTheyHoldForAllListenersTogether(String limit) throws Exception {
    String two = yaml(limit, "").replace("backends:", "  - { bind: \"127.0.0.1:0\" }\nbackends:");
    try (Running running = new Running(two)) {
      pending(running, "127.0.0.1");
      Socket other = running.connect(1);
      clients.add(other);
      send(other, HALF);
      Tests.await("it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 2);
      assertTurnedAway(pending(running, "127.0.0.1"));
      assertServed(running, pending(running, "127.0.0.2"));
      assertThat(running.count(Outcome.LIMITED)).isOne();
    }
  }

  @Test
  void whatIsPendingSinceBeforeAReloadCountsOnByItsClientAndByANewPrefix() throws Exception {
    try (Running running = new Running(yaml("", ", max-pending-per-client: 9"))) {
      Socket first = pending(running, "127.1.1.1");
      pending(running, "127.1.1.2");
      running.proxy.reload(Tests.configuration(yaml("", ", max-pending-per-client: 1")));
      assertTurnedAway(pending(running, "127.1.1.1"));
      assertThat(status(running).clients()).isEqualTo(2);
      running.proxy.reload(
          Tests.configuration(
              yaml("", ", max-pending-per-client: 3, client-prefix: { ipv4: 24 }")));
      assertThat(status(running).clients()).isEqualTo(1);
      pending(running, "127.1.1.3");
      assertTurnedAway(pending(running, "127.1.1.4"));
      pending(running, "127.1.2.4");
      assertServed(running, first);
      assertServed(running, pending(running, "127.1.1.4"));
      assertThat(running.count(Outcome.LIMITED)).isEqualTo(2);
    }
    assertThat(ErrorLog.take()).isEmpty();
  }

  @Test
  void allowAndDenyDecideWhoComesInAndAReloadChangesThem() throws Exception {
    String lists = ", allow: [127.0.0.0/16], deny: [127.0.0.9, 127.0.7.0/24]";
    try (Running running = new Running(yaml("access-log: true", lists))) {
      assertServed(running, pending(running, "127.0.0.8"));
      assertTurnedAway(pending(running, "127.0.0.9"));
      assertTurnedAway(pending(running, "127.0.7.1"));
      assertTurnedAway(pending(running, "127.1.0.1"));
      assertThat(running.count(Outcome.DENIED)).isEqualTo(3);
      assertThat(status(running).turnedAway().denied()).isEqualTo(3);
      running.proxy.reload(Tests.configuration(yaml("access-log: true", ", deny: 127.0.0.8")));
      assertServed(running, pending(running, "127.0.0.9"));
      assertServed(running, pending(running, "127.1.0.1"));
      assertTurnedAway(pending(running, "127.0.0.8"));
      Tests.await("the log is written", () -> running.log().lines().count() == 3);
      assertThat(running.log()).doesNotContain("denied").doesNotContain("client=127.0.7.1");
    }
  }

  /** A flood costs a line of the log a minute for each reason, whatever is reloaded meanwhile. */
  @Test
  void aLineForEachReasonNamesAnAddressAndTheKey() throws Exception {
    List<String> lines = new CopyOnWriteArrayList<>();
    ErrorLog.listen(lines::add);
    String limits = ", max-pending-per-client: 1, max-new-per-client: 3/m, deny: 127.0.0.9";
    try (Running running = new Running(yaml("max-pending-per-client: 300", limits))) {
      pending(running, "127.0.0.3");
      for (int i = 0; i < 5; i++) {
        assertTurnedAway(pending(running, "127.0.0.3"));
        assertTurnedAway(pending(running, "127.0.0.9"));
        if (i < 3) {
          assertServed(running, pending(running, "127.0.0.4"));
        } else {
          assertTurnedAway(pending(running, "127.0.0.4"));
        }
        running.proxy.reload(Tests.configuration(yaml("max-pending-per-client: 300", limits)));
      }
    } finally {
      ErrorLog.listen(null);
    }
    List<String> turnedAway = lines.stream().filter(line -> line.contains("turned away")).toList();
    assertThat(turnedAway).hasSize(3);
    assertThat(turnedAway)
        .anyMatch(line ->
            line.contains("127.0.0.3 is turned away, 1 so far for this reason")
                && line.contains("raise max-pending-per-client on this listener"))
        .anyMatch(line -> line.contains("127.0.0.9") && line.contains("by its allow and deny"))
        .anyMatch(line ->
            line.contains("127.0.0.4")
                && line.contains("more often than 3/m")
                && line.contains("raise max-new-per-client on this listener"));
  }

  @Test
  void aLineSaysWhoFillsMaxPending() throws Exception {
    List<String> lines = new CopyOnWriteArrayList<>();
    ErrorLog.listen(lines::add);
    try (Running running = new Running(yaml("", "").replace("200", "5"))) {
      for (int i = 0; i < 9; i++) {
        pending(running, HOSTILE);
      }
    } finally {
      ErrorLog.listen(null);
    }
    assertThat(lines)
        .filteredOn(line -> line.contains("max-pending"))
        .singleElement()
        .asString()
        .contains("max-pending (5) is reached")
        .contains("now of 127.6.6.6, which has 5");
  }
}
