package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.TestAcknowledger.Offered;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which of several receivers gets a connection, and which backend, on the real kernel. */
class BalanceTest {
  private static final byte[] REQUEST =
      "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

  @TempDir private Path dir;
  private final List<Socket> clients = new ArrayList<>();

  @AfterEach
  void closeClients() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
  }

  private Path path(String name) {
    return dir.resolve(name);
  }

  private String config(String more) {
    return """
    listeners:
      - { bind: "0.0.0.0:0", peek-timeout: 60s }
    backends:
      shop: { handoff: ["unix:%s", "unix:%s"], hand-off-timeout: 60s, ack-timeout: 1m, %s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(path("a"), path("b"), more);
  }

  private String withBackup(String more) {
    return """
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 60s }
    backends:
      shop: { handoff: "unix:%s", hand-off-timeout: 60s, ack-timeout: 1m, backup: sorry, %s }
      sorry: { handoff: "unix:%s", hand-off-timeout: 60s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(path("a"), more, path("sorry"));
  }

  private Socket request(Running running) throws IOException {
    return request(running, "127.0.0.1");
  }

  private Socket request(Running running, String from) throws IOException {
    String address = running.proxy.addresses().getFirst();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    Socket client = new Socket();
    clients.add(client);
    client.setSoTimeout(20_000);
    client.bind(new InetSocketAddress(InetAddress.getByName(from), 0));
    client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    client.getOutputStream().write(REQUEST);
    return client;
  }

  /** Waits until one of the receivers has a connection, closes it, and says which. */
  private static TestReceiver takenBy(TestReceiver... receivers) {
    TestReceiver[] taker = new TestReceiver[1];
    Tests.await(
        "a connection is handed off",
        () -> {
          for (TestReceiver receiver : receivers) {
            Fd fd = receiver.poll();
            if (fd != null) {
              receiver.close(fd);
              taker[0] = receiver;
              return true;
            }
          }
          return false;
        });
    return taker[0];
  }

  private TestReceiver requestTakenBy(Running running, String from, TestReceiver... receivers) {
    try {
      request(running, from);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return takenBy(receivers);
  }

  private static TestAcknowledger offeredTo(TestAcknowledger a, TestAcknowledger b) {
    Tests.await("a connection is offered", () -> a.hasMore() || b.hasMore());
    return a.hasMore() ? a : b;
  }

  @ParameterizedTest
  @ValueSource(strings = {"round-robin", "least-connections"})
  void aPlainReceiverThatDoesNotReceiveGetsNoMoreWhileAnotherDoes(String balance) throws Exception {
    try (TestReceiver a = TestReceiver.stream(path("a"));
        TestReceiver b = TestReceiver.stream(path("b"));
        Running running = new Running(config("method: persistent, balance: " + balance))) {
      request(running);
      request(running);
      Tests.await("each has one", () -> running.count(Outcome.PASSED) == 2);
      b.close(b.take());
      for (int i = 0; i < 20; i++) {
        request(running);
        b.close(b.take());
      }
      a.close(a.take());
      assertThat(a.poll()).isNull();
      request(running);
      request(running);
      Tests.await("it has one again", () -> running.count(Outcome.PASSED) == 24);
      a.close(a.take());
      b.close(b.take());
    }
  }

  @Test
  void maxUnreceivedBoundsTheQueueOfAPlainReceiver() throws Exception {
    for (String method : List.of("persistent", "datagram")) {
      try (TestReceiver a =
              method.equals("datagram")
                  ? TestReceiver.datagram(path("a"))
                  : TestReceiver.stream(path("a"));
          Running running =
              new Running(
                  config("method: " + method + ", max-unreceived: 6")
                      .replace(", \"unix:" + path("b") + "\"", ""))) {
        // What comes first is waited for until it has been received.
        request(running);
        a.close(a.take());
        Tests.await("it has been received", () -> running.count(Outcome.PASSED) == 1);
        for (int i = 0; i < 8; i++) {
          request(running);
        }
        Tests.await("two wait", () -> running.count(Counter.QUEUED) == 2);
        assertThat(running.count(Outcome.PASSED)).isEqualTo(7);
        for (int i = 0; i < 8; i++) {
          a.close(a.take());
        }
      }
    }
  }

  @Test
  void leastConnectionsGoesByWhatIsNotAcknowledged() throws Exception {
    try (TestAcknowledger a = new TestAcknowledger(path("a"));
        TestAcknowledger b = new TestAcknowledger(path("b"));
        Running running = new Running(config("method: acknowledged, balance: least-connections"))) {
      // Each gets one, of which a keeps its own.
      request(running);
      a.accept();
      b.accept();
      a.greet(true, 100);
      a.close(a.next());
      b.greet(true, 100);
      for (int i = 0; i < 10; i++) {
        request(running);
        Offered offered = b.next();
        b.close(offered);
        b.ack(i + 1, i + 101);
        int passed = i + 1;
        Tests.await("it is settled", () -> running.count(Outcome.PASSED) == passed);
      }
      a.ack(1, 101);
      Tests.await("a's is settled", () -> running.count(Outcome.PASSED) == 11);
      for (int i = 0; i < 2; i++) {
        request(running);
        TestAcknowledger one = offeredTo(a, b);
        one.close(one.next());
        // Unanswered, so that the next one goes to the other.
        assertThat(offeredOnlyTo(one, a, b)).isTrue();
      }
      assertThat(running.count(Counter.MESSAGES_SENT)).isEqualTo(13);
    }
  }

  private static boolean offeredOnlyTo(
      TestAcknowledger one, TestAcknowledger a, TestAcknowledger b) {
    return one == a ? !b.hasMore() : !a.hasMore();
  }

  @Test
  void leastConnectionsGoesByTheLoadThatReceiversTell() throws Exception {
    try (TestAcknowledger a = new TestAcknowledger(path("a"));
        TestAcknowledger b = new TestAcknowledger(path("b"));
        Running running = new Running(config("method: acknowledged, balance: least-connections"))) {
      request(running);
      a.accept();
      b.accept();
      a.greet(true, 100);
      a.close(a.next());
      b.greet(true, 100);
      for (int i = 0; i < 10; i++) {
        // What a receiver says holds for a second, and is said anew here.
        a.ack(1, 101, 900);
        b.ack(i, i + 100, 100);
        Tests.await("both are heard", () -> loads(running).equals(List.of(900, 100)));
        request(running);
        Offered offered = b.next();
        b.close(offered);
      }
      b.ack(10, 110, 950);
      a.ack(1, 101, 900);
      Tests.await("both are heard", () -> loads(running).equals(List.of(900, 950)));
      request(running);
      a.close(a.next());
    }
  }

  private static List<Integer> loads(Running running) {
    return running.proxy.status().backends().getFirst().sockets().stream()
        .map(BackendStatus.Socket::load)
        .toList();
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "auto", "datagram", "once"})
  void sourceHashKeepsAClientWhereItWasWhileThatIsThere(String method) throws Exception {
    List<String> from = new ArrayList<>();
    for (int i = 1; i <= 16; i++) {
      from.add("127.0.1." + i);
    }
    try (TestReceiver a = receiver(method, "a");
        Running running = new Running(config("balance: source-hash, method: " + method))) {
      Map<String, Boolean> isAs = new HashMap<>();
      TestReceiver b = receiver(method, "b");
      try (b) {
        for (int round = 0; round < 3; round++) {
          for (String client : from) {
            request(running, client);
            boolean byA = takenBy(a, b) == a;
            assertThat(isAs.computeIfAbsent(client, any -> byA)).isEqualTo(byA);
          }
        }
        assertThat(isAs.values()).contains(true, false);
      }
      for (String client : from) {
        request(running, client);
        assertThat(takenBy(a)).isEqualTo(a);
      }
      try (TestReceiver again = receiver(method, "b")) {
        String client =
            from.stream().filter(each -> !isAs.getOrDefault(each, true)).findFirst().orElseThrow();
        Tests.await(
            "its clients come back", () -> requestTakenBy(running, client, a, again) == again);
        for (String each : from) {
          request(running, each);
          assertThat(takenBy(a, again) == a).isEqualTo(isAs.get(each));
        }
      }
    }
  }

  private TestReceiver receiver(String method, String name) throws IOException {
    return method.equals("datagram")
        ? TestReceiver.datagram(path(name))
        : TestReceiver.stream(path(name));
  }

  @Test
  void aSocketThatIsDownIsNotTriedForEveryConnection() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    kernel.stopClock();
    try (TestReceiver a = TestReceiver.stream(path("a"));
        Running running = new Running(config("method: persistent"), kernel)) {
      for (int i = 0; i < 50; i++) {
        request(running);
        a.close(a.take());
        // The first over a UNIX connection is waited for.
        Tests.await("it has been received", () -> running.count(Outcome.PASSED) > 0);
      }
      // One of them before the first came.
      assertThat(kernel.calls("connect")).isEqualTo(3);
      assertThat(running.count(Counter.QUEUED)).isZero();
      try (TestReceiver b = TestReceiver.stream(path("b"))) {
        kernel.startClock();
        Tests.await("the other is found", () -> requestTakenBy(running, "127.0.0.1", a, b) == b);
      }
    }
  }

  @Test
  void aSocketThatComesBackStartsSlowly() throws Exception {
    try (TestReceiver a = TestReceiver.stream(path("a"));
        Running running = new Running(config("method: persistent, slow-start: 60m"))) {
      try (TestReceiver b = TestReceiver.stream(path("b"))) {
        for (int i = 0; i < 10; i++) {
          request(running);
          assertThat(takenBy(a, b)).isEqualTo(i % 2 == 0 ? a : b);
        }
      }
      request(running);
      a.close(a.take());
      try (TestReceiver b = TestReceiver.stream(path("b"))) {
        Tests.await("it is back", () -> requestTakenBy(running, "127.0.0.1", a, b) == b);
        int before = (int) running.count(Outcome.PASSED);
        int byB = 0;
        for (int i = 0; i < 200; i++) {
          request(running);
          byB += takenBy(a, b) == b ? 1 : 0;
        }
        // Two in a hundred of its turns, and an hour until it has all.
        assertThat(byB).isBetween(1, 12);
        Tests.await("all are counted", () -> running.count(Outcome.PASSED) >= before + 200);
        assertThat(running.proxy.status().backends().getFirst().sockets().get(1).share())
            .isBetween(20, 40);
      }
    }
  }

  @Test
  void theBackupIsThereAtOnceAndOnlyWhileNobodyElseIs() throws Exception {
    try (TestReceiver sorry = TestReceiver.stream(path("sorry"));
        Running running = new Running(withBackup("method: persistent, max-unreceived: 6"))) {
      Socket client = request(running);
      sorry.answer(sorry.take(), "sorry");
      assertThat(client.getInputStream().readAllBytes()).asString().isEqualTo("sorry");
      assertThat(running.count(Counter.BACKED_UP)).isOne();
      assertThat(running.count(Counter.QUEUED)).isZero();
      try (TestReceiver a = TestReceiver.stream(path("a"))) {
        Tests.await("it is found", () -> requestTakenBy(running, "127.0.0.1", a, sorry) == a);
        long backedUp = running.count(Counter.BACKED_UP);
        // A receiver that is full is there all the same: its clients wait for it.
        for (int i = 0; i < 7; i++) {
          request(running);
        }
        Tests.await("one waits", () -> running.count(Counter.QUEUED) == 1);
        assertThat(running.count(Counter.BACKED_UP)).isEqualTo(backedUp);
        assertThat(sorry.poll()).isNull();
      }
      // It ends: what waits goes to the backup too, and what comes.
      sorry.close(sorry.take());
      request(running);
      sorry.close(sorry.take());
    }
  }

  @Test
  void aReceiverThatDrainsOrHangsHasABackupToo() throws Exception {
    try (TestReceiver sorry = TestReceiver.stream(path("sorry"));
        TestAcknowledger a = new TestAcknowledger(path("a"));
        Running running =
            new Running(
                withBackup("method: acknowledged").replace("ack-timeout: 1m", "ack-timeout: 1s"))) {
      request(running);
      // It has not said hello yet, and is waited for.
      a.accept().greet(true, 100);
      a.close(a.next());
      a.ack(1, 101);
      request(running);
      // It hangs: what it was offered is taken back, and goes where the next go.
      sorry.close(sorry.take());
      request(running);
      sorry.close(sorry.take());
      a.close(a.next());
      a.ack(2, 102);
      Tests.await("it is heard", () -> a.hasMore() || state(running) == ChannelState.OPEN);
      request(running);
      a.close(a.next());
      a.drain(3);
      Tests.await("it drains", () -> state(running) == ChannelState.DRAINING);
      request(running);
      sorry.close(sorry.take());
    }
  }

  private static ChannelState state(Running running) {
    return running.proxy.status().backends().getFirst().sockets().getFirst().state();
  }
}
