package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.TestAcknowledger.Offered;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.wire.Metadata;
import java.io.IOException;
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
 * The acknowledged hand-off against receivers that die, hang, refuse and lie, on the real kernel:
 * what nobody has touched is served by the other one, what was touched by nobody else.
 */
class AcknowledgedChannelTest {
  private static final String REQUEST = "GET / HTTP/1.1\r\nHost: Shop.Example.\r\n\r\n";
  private static final String LONG = "ack-timeout: 1m, hand-off-timeout: 1m";
  private static final String SHORT = "ack-timeout: 500ms, hand-off-timeout: 1m";

  @TempDir private Path dir;
  private final List<Socket> clients = new ArrayList<>();
  private long descriptorsBefore;

  @BeforeEach
  void countDescriptors() throws Exception {
    // What the JDK opens once and keeps must not count.
    try (TestAcknowledger warm = new TestAcknowledger(dir.resolve("a"));
        Running running = new Running(config(LONG))) {
      request(running);
      Offered offered = warm.accept().greet(true, 1).next();
      assertThat(warm.claim(offered)).isTrue();
      warm.close(offered);
      warm.ack(1, 1);
      awaitPassed(running, 1);
      closeClients();
    }
    descriptorsBefore = Tests.openDescriptors();
  }

  @AfterEach
  void nothingLeaks() throws IOException {
    closeClients();
    Tests.await("every descriptor is closed", () -> Tests.openDescriptors() <= descriptorsBefore);
  }

  private void closeClients() throws IOException {
    for (Socket client : clients) {
      client.close();
    }
    clients.clear();
  }

  private String config(String more) {
    return config("acknowledged", more);
  }

  /** A backend with two sockets, of which the first gets the first connection. */
  private String config(String method, String more) {
    return """
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 10s }
    backends:
      shop: { handoff: ["unix:%s", "unix:%s"], method: %s, %s }
    routes:
      - { host: shop.example, backend: shop }
    """
        .formatted(dir.resolve("a"), dir.resolve("b"), method, more);
  }

  private TestAcknowledger receiver(String name) throws IOException {
    return new TestAcknowledger(dir.resolve(name));
  }

  private Socket request(Running running) throws IOException {
    Socket client = running.connect();
    client.setSoTimeout(20_000);
    clients.add(client);
    client.getOutputStream().write(REQUEST.getBytes(StandardCharsets.ISO_8859_1));
    return client;
  }

  private static String readAll(Socket socket) throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  private static void awaitPassed(Running running, int count) {
    Tests.await("it is passed", () -> running.count(Outcome.PASSED) == count);
  }

  /** Serves what the other receiver gave back. */
  private static void serves(TestAcknowledger receiver, Socket client, String text)
      throws IOException {
    Offered offered = receiver.next();
    assertThat(receiver.claim(offered)).isTrue();
    receiver.ack(offered.number() + 1, 1000);
    receiver.answer(offered, text);
    assertThat(readAll(client)).isEqualTo(text);
  }

  @Test
  void aConnectionIsKeptUntilItIsAcknowledged() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(true, 10).next();

      assertThat(a.proxysVersion).isEqualTo(1);
      assertThat(offered.number()).isZero();
      assertThat(offered.metadata())
          .isEqualTo(
              new Metadata(
                  running.proxy.addresses().getFirst(),
                  6,
                  "http",
                  "shop.example",
                  List.of(),
                  null,
                  null,
                  false));
      assertThat(a.claim(offered)).isTrue();
      assertThat(running.count(Outcome.PASSED)).isZero();
      a.ack(1, 10);
      awaitPassed(running, 1);
      // No copy is left: the receiver's close is what the client sees.
      assertThat(a.read(offered)).isEqualTo(REQUEST);
      a.close(offered);
      assertThat(readAll(client)).isEmpty();
    }
  }

  @Test
  void autoFindsIt() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config("auto", LONG))) {
      Socket client = request(running);
      a.accept().greet(true, 10);
      serves(a, client, "acknowledged");
    }
  }

  @Test
  void autoFindsWhatTakesItsPlaceWithAnotherType() throws Exception {
    try (Running running = new Running(config("auto", LONG))) {
      try (TestAcknowledger a = receiver("a")) {
        Socket client = request(running);
        a.accept().greet(true, 10);
        serves(a, client, "acknowledged");
      }
      try (TestReceiver a = TestReceiver.stream(dir.resolve("a"))) {
        Socket client = request(running);
        a.answer(a.take(), "plain");
        assertThat(readAll(client)).isEqualTo("plain");
      }
      try (TestAcknowledger a = receiver("a")) {
        Socket client = request(running);
        a.accept().greet(true, 10);
        serves(a, client, "acknowledged");
      }
    }
  }

  @Test
  void whatWaitsForTheHelloComesInOneMessage() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      for (int i = 0; i < 20; i++) {
        request(running);
      }
      Tests.await("all wait", () -> running.count(Counter.QUEUED) == 20);
      a.accept().greet(true, 100);
      for (int i = 0; i < 20; i++) {
        Offered offered = a.next();
        assertThat(offered.number()).isEqualTo(i);
        assertThat(offered.ofMessage()).isEqualTo(20);
        a.close(offered);
      }
      a.ack(20, 120);
      awaitPassed(running, 20);
    }
  }

  @Test
  void noMoreIsOfferedThanWasGranted() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      for (int i = 0; i < 5; i++) {
        request(running);
      }
      Tests.await("all wait", () -> running.count(Counter.QUEUED) == 5);
      a.accept().greet(true, 2);
      a.close(a.next());
      a.close(a.next());
      assertThat(a.hasMore()).isFalse();
      a.ack(1, 3);
      assertThat(a.next().ofMessage()).isOne();
      a.ack(3, 5);
      Offered last = a.next();
      assertThat(last.ofMessage()).isEqualTo(2);
      a.next();
      a.ack(5, 5);
      awaitPassed(running, 5);
    }
  }

  @ParameterizedTest
  @CsvSource({"true, false", "true, true", "false, false"})
  void whatADeadReceiverHasNotTouchedGoesToTheOther(boolean pageShared, boolean claimed)
      throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(pageShared, 10).next();
      if (claimed) {
        assertThat(a.claim(offered)).isTrue();
        // As a JVM does when it adopts it; all copies share it.
        assertThat(a.kernel.fcntl(offered.fd(), Linux.F_SETFL, Linux.O_RDWR)).isZero();
      }
      try (TestAcknowledger b = receiver("b")) {
        a.close(offered);
        a.end();
        Offered again = b.accept().greet(true, 10).next();
        assertThat(a.kernel.fcntl(again.fd(), Linux.F_GETFL, 0) & Linux.O_NONBLOCK).isNotZero();
        assertThat(b.claim(again)).isTrue();
        b.ack(1, 10);
        b.answer(again, "from b");
        assertThat(readAll(client)).isEqualTo("from b");
        assertThat(running.count(Counter.TAKEN_BACK)).isOne();
        awaitPassed(running, 1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reads", "writes", "shuts down"})
  void whatADeadReceiverHasTouchedIsGivenToNobody(String touch) throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(true, 10).next();
      assertThat(a.claim(offered)).isTrue();
      switch (touch) {
        case "reads" -> assertThat(a.read(offered)).isEqualTo(REQUEST);
        case "writes" -> {
          assertThat(
                  a.kernel.send(
                      offered.fd(),
                      new dev.peekpass.linux.NativeBuffer(1),
                      0,
                      1,
                      Linux.MSG_NOSIGNAL))
              .isOne();
          assertThat(client.getInputStream().read()).isZero();
        }
        default -> assertThat(a.kernel.shutdown(offered.fd(), Linux.SHUT_WR)).isZero();
      }
      a.close(offered);
      a.end();
      Tests.await("it is counted", () -> running.count(Outcome.LOST) == 1);
      assertThat(running.count(Counter.TAKEN_BACK)).isZero();
      assertThat(b.accept().greet(true, 10).hasMore()).isFalse();
    }
  }

  @Test
  void aClientThatEndedItsSideIsUntouchedAllTheSame() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      client.shutdownOutput();
      Offered offered = a.accept().greet(false, 10).next();
      a.close(offered);
      a.end();
      b.accept().greet(true, 10);
      serves(b, client, "from b");
    }
  }

  @Test
  void acksThatADeadReceiverSentStillCount() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket first = request(running);
      Offered kept = a.accept().greet(true, 10).next();
      assertThat(a.claim(kept)).isTrue();
      // Stays in a's queue, which makes its end a reset to the proxy.
      Socket second = request(running);
      Tests.await("it is sent", () -> running.count(Counter.MESSAGES_SENT) == 2);
      a.ack(1, 10);
      a.end();
      awaitPassed(running, 1);
      b.accept().greet(true, 10);
      serves(b, second, "second");
      a.answer(kept, "first");
      assertThat(readAll(first)).isEqualTo("first");
      assertThat(running.count(Counter.TAKEN_BACK)).isOne();
    }
  }

  @Test
  void anEndThatOvertakesTheLastAckMakesNoSecondOwner() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG), kernel)) {
      Socket client = request(running);
      Offered kept = a.accept().greet(true, 10).next();
      assertThat(a.claim(kept)).isTrue();
      kernel.hold();
      // Wakes the loop, which is then held before it looks at the channel again.
      a.ack(0, 11);
      Tests.await("the loop is held", kernel::isHeld);
      a.ack(1, 11);
      a.end();
      kernel.endEarly();
      kernel.release();
      // Untouched as it is, only the ACK tells that it is a's.
      awaitPassed(running, 1);
      assertThat(running.count(Counter.TAKEN_BACK)).isZero();
      a.answer(kept, "from a");
      assertThat(readAll(client)).isEqualTo("from a");
    }
  }

  @Test
  void aFrozenReceiverLosesWhatItHasNotClaimedAndServesNoneOfItLater() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(SHORT))) {
      Socket client = request(running);
      a.accept().greet(true, 10);
      Tests.await("it is taken back", () -> running.count(Counter.TAKEN_BACK) == 1);
      b.accept().greet(true, 1000);
      serves(b, client, "from b");
      // Overdue, a gets no more, though it is its turn.
      serves(b, request(running), "and this");

      // It thaws, finds it revoked, and says so: then it is in turn again.
      Offered late = a.next();
      assertThat(a.claim(late)).isFalse();
      a.close(late);
      assertThat(a.hasMore()).isFalse();
      a.ack(1, 10);
      for (int i = 0; i < 2; i++) {
        Socket next = request(running);
        Tests.await("either gets it", () -> a.hasMore() || b.hasMore());
        serves(a.hasMore() ? a : b, next, "again");
      }
      assertThat(running.count(Counter.ACK_TIMED_OUT)).isPositive();
      awaitPassed(running, 4);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"claimed", "without a page", "scribbled"})
  void whatCannotBeTakenBackGoesToNobodyElse(String how) throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config("ack-timeout: 500ms, hand-off-timeout: 3s"))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(!how.equals("without a page"), 10).next();
      switch (how) {
        case "claimed" -> assertThat(a.claim(offered)).isTrue();
        case "scribbled" -> a.scribble(-1);
        default -> {}
      }
      Tests.await("it is left to it", () -> running.count(Counter.ACK_IN_DOUBT) == 1);
      awaitPassed(running, 1);
      assertThat(running.count(Counter.TAKEN_BACK)).isZero();
      assertThat(b.accept().greet(true, 10).hasMore()).isFalse();
      a.answer(offered, "late");
      assertThat(readAll(client)).isEqualTo("late");
    }
  }

  @Test
  void whatIsRefusedGoesToTheOther() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(true, 10).next();
      a.close(offered);
      a.refuse(offered.number());
      a.ack(1, 10);
      b.accept().greet(true, 10);
      serves(b, client, "from b");
      // Refusing twice, or what is settled, harms nobody but the refuser.
      assertThat(running.count(Counter.TAKEN_BACK)).isOne();
    }
  }

  @Test
  void aDrainingReceiverGetsNoMoreAndItsSuccessorDoes() throws Exception {
    try (Running running = new Running(config(SHORT))) {
      TestAcknowledger old = receiver("a");
      Socket first = request(running);
      old.accept().greet(true, 10);
      serves(old, first, "from the old");
      old.drain(1);
      // It neither closes nor answers: the proxy does not wait for it for ever.
      Tests.await("the proxy gives it up", old::isEnded);
      old.close();
      try (TestAcknowledger successor = receiver("a")) {
        Socket second = request(running);
        successor.accept().greet(true, 10);
        serves(successor, second, "from the new");
      }
    }
  }

  @Test
  void whatIsOfferedWhenTheProxyEndsIsTheReceivers() throws Exception {
    try (TestAcknowledger a = receiver("a")) {
      Socket client;
      Offered offered;
      try (Running running = new Running(config(LONG))) {
        client = request(running);
        offered = a.accept().greet(true, 10).next();
      }
      assertThat(a.claim(offered)).isTrue();
      a.answer(offered, "without it");
      assertThat(readAll(client)).isEqualTo("without it");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        // Acknowledges what it was never offered, and less than before.
        "0200ffff 00000000 0200000000000000 0a00000000000000",
        "0200ffff 00000000 ffffffffffffffff 0a00000000000000",
        // Gives back what it does not have.
        "0300000000000000 0100000000000000",
        "0300000000000000 ffffffffffffffff",
        // A second hello, and what is malformed.
        "0101fd01 00000000 0001000000000000",
        "02",
        "0207ffff 00000000 0000000000000000 0a00000000000000",
      })
  void aReceiverThatBreaksTheProtocolLosesItsChannelAndNothingElseIsLost(String hex)
      throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(true, 10).next();
      assertThat(a.send(HexFormat.of().parseHex(hex.replace(" ", "")))).isPositive();
      Tests.await("the proxy ends it", a::isEnded);
      assertThat(running.count(Counter.RECEIVER_FAULT)).isOne();
      b.accept().greet(true, 10);
      Offered again = b.next();
      assertThat(again.metadata().offeredBefore()).isTrue();
      assertThat(b.claim(again)).isTrue();
      b.ack(1, 10);
      b.answer(again, "from b");
      assertThat(readAll(client)).isEqualTo("from b");
      // It was revoked before it went to b.
      assertThat(a.claim(offered)).isFalse();
      a.close(offered);
    }
  }

  @Test
  void whatALiarHadClaimedIsLeftToIt() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      Offered offered = a.accept().greet(true, 10).next();
      assertThat(a.claim(offered)).isTrue();
      assertThat(a.send(new byte[] {2})).isOne();
      Tests.await("the proxy ends it", a::isEnded);
      awaitPassed(running, 1);
      assertThat(b.accept().greet(true, 10).hasMore()).isFalse();
      a.answer(offered, "still mine");
      assertThat(readAll(client)).isEqualTo("still mine");
      assertThat(running.count(Counter.ACK_IN_DOUBT)).isOne();
    }
  }

  @Test
  void anAckBeforeTheHelloIsAFault() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      request(running);
      a.accept().ack(0, 10);
      Tests.await("the proxy ends it", a::isEnded);
      assertThat(running.count(Counter.RECEIVER_FAULT)).isOne();
    }
  }

  @Test
  void aFloodOfAcksEnds() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      request(running);
      Offered offered = a.accept().greet(true, 10).next();
      byte[] ack =
          HexFormat.of()
              .parseHex("0200ffff" + "00000000" + "0000000000000000" + "0a00000000000000");
      Tests.await(
          "the proxy ends it",
          () -> {
            int r = a.send(ack);
            return r == -Errno.EPIPE || r == -Errno.ECONNRESET;
          });
      assertThat(running.count(Counter.RECEIVER_FAULT)).isOne();
      a.close(offered);
    }
  }

  @Test
  void unknownMessagesAndAbsurdCreditsDoNoHarm() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      a.accept().greet(true, -1);
      assertThat(a.send(new byte[] {0x7f, 1, 2, 3})).isEqualTo(4);
      assertThat(a.send(new byte[60])).isEqualTo(60);
      serves(a, client, "hello");
      assertThat(running.count(Counter.RECEIVER_FAULT)).isZero();
    }
  }

  @Test
  void aDescriptorSentToTheProxyStaysNowhere() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      a.accept().greet(true, 10);
      serves(a, client, "hello");
      Tests.await("it is passed", () -> running.count(Outcome.PASSED) == 1);
      long before = Tests.openDescriptors();
      for (int i = 0; i < 10; i++) {
        int eventfd = a.kernel.eventfd(0, Linux.EFD_CLOEXEC);
        // EPERM where the kernel knows SO_PASSRIGHTS, else the proxy never receives it.
        a.sendDescriptor(dev.peekpass.linux.Fd.of(eventfd));
        a.kernel.close(dev.peekpass.linux.Fd.of(eventfd));
      }
      Tests.await("nothing of them is left", () -> Tests.openDescriptors() <= before);
    }
  }

  @Test
  void aReceiverThatNeverSaysHelloHoldsNobodyUp() throws Exception {
    try (TestAcknowledger a = receiver("a");
        TestAcknowledger b = receiver("b");
        Running running = new Running(config(LONG))) {
      Socket client = request(running);
      a.accept();
      b.accept().greet(true, 10);
      serves(b, client, "from b");
      assertThat(running.count(Counter.CHANNEL_OPENED)).isEqualTo(2);
    }
  }

  @Test
  void connectionsThatComeBackKeepTheirOrder() throws Exception {
    try (TestAcknowledger a = receiver("a");
        Running running = new Running(config(LONG))) {
      List<Socket> sockets = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        sockets.add(request(running));
        long queued = sockets.size();
        Tests.await("it waits", () -> running.count(Counter.QUEUED) == queued);
      }
      a.accept().greet(true, 2);
      for (int i = 0; i < 2; i++) {
        a.close(a.next());
      }
      a.end();
      a.accept().greet(true, 10);
      for (int i = 0; i < 3; i++) {
        Offered offered = a.next();
        assertThat(offered.number()).isEqualTo(i);
        assertThat(a.claim(offered)).isTrue();
        a.answer(offered, "" + i);
        assertThat(readAll(sockets.get(i))).isEqualTo("" + i);
      }
      a.ack(3, 10);
      awaitPassed(running, 3);
    }
  }
}
