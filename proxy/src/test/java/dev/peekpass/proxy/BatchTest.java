package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Several connections in one message, under load that is made to be there. */
class BatchTest {
  @TempDir private Path dir;
  private final SteeredKernel kernel = new SteeredKernel();
  private final List<Socket> clients = new ArrayList<>();
  private long descriptorsBefore;

  @BeforeEach
  void countDescriptors() throws Exception {
    // What the JDK opens once and keeps must not count.
    try (TestReceiver warm = TestReceiver.stream(dir.resolve("shop"));
        Running running = new Running(config("persistent", "batch: 2"))) {
      connect(running, 1);
      warm.close(warm.take());
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

  private String config(String method, String more) {
    return """
    access-log: true
    listeners:
      - { bind: "127.0.0.1:0", peek-timeout: 60s }
    backends:
      shop: { handoff: "unix:%s", method: %s, hand-off-timeout: 60s, %s }
      other: { handoff: "unix:%s", batch: 4 }
    routes:
      - { host: shop.example, backend: shop }
    fallback: other
    """
        .formatted(dir.resolve("shop"), method, more, dir.resolve("other"));
  }

  private void connect(Running running, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      Socket client = running.connect();
      clients.add(client);
      client
          .getOutputStream()
          .write(
              ("GET /" + i + " HTTP/1.1\r\nHost: shop.example\r\n\r\n")
                  .getBytes(StandardCharsets.US_ASCII));
    }
  }

  /** Lets that many clients come while the loop is held, so that it finds them all together. */
  private void connectTogether(Running running, int count) throws IOException {
    Tests.await("the loop is held", kernel::isHeld);
    connect(running, count);
    Tests.await("all can be accepted", () -> acceptQueue(running) == count);
    kernel.release();
  }

  /** How many connections wait to be accepted, as proc_pid_net(5) tells of a listening socket. */
  private static int acceptQueue(Running running) {
    String address = running.proxy.addresses().getFirst();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    // sl, local address, remote address, state (0A is LISTEN), send queue and receive queue.
    Pattern listener =
        Pattern.compile(
            "(?m)^ *\\d+: 0100007F:%04X 00000000:0000 0A [0-9A-F]{8}:([0-9A-F]{8}) "
                .formatted(port));
    try {
      Matcher line = listener.matcher(Files.readString(Path.of("/proc/self/net/tcp")));
      return line.find() ? Integer.parseInt(line.group(1), 16) : -1;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Takes that many, which must be the clients in their order, each untouched. */
  private void takeInOrder(TestReceiver shop, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      Fd fd = shop.take();
      assertThat(shop.peer(fd)).isEqualTo("127.0.0.1:" + clients.get(i).getLocalPort());
      assertThat(shop.read(fd)).startsWith("GET /" + i + " HTTP/1.1\r\n");
      shop.answer(fd, "hello " + i);
      assertThat(clients.get(i).getInputStream().readAllBytes())
          .isEqualTo(("hello " + i).getBytes(StandardCharsets.US_ASCII));
    }
  }

  private TestReceiver receiver(String method) throws IOException {
    TestReceiver shop =
        method.equals("datagram")
            ? TestReceiver.datagram(dir.resolve("shop"))
            : TestReceiver.stream(dir.resolve("shop"));
    shop.messageSizes = new ArrayList<>();
    return shop;
  }

  @ParameterizedTest
  @ValueSource(strings = {"persistent", "datagram", "auto"})
  void whatIsThereTogetherGoesTogether(String method) throws Exception {
    kernel.stopClock();
    kernel.hold();
    try (TestReceiver shop = receiver(method);
        Running running = new Running(config(method, "batch: 8"), kernel)) {
      connectTogether(running, 20);
      takeInOrder(shop, 20);

      assertThat(shop.messageSizes).containsExactly(8, 8, 4);
      assertThat(running.count(Outcome.PASSED)).isEqualTo(20);
      assertThat(running.count(Counter.MESSAGES_SENT)).isEqualTo(3);
      // On a stream socket the first message goes alone, until it has been received.
      assertThat(running.count(Counter.QUEUED)).isEqualTo(method.equals("datagram") ? 0 : 12);
      assertThat(kernel.calls("sendmsg")).isEqualTo(3);
      running.proxy.stop();
      assertThat(running.proxy.await()).isTrue();
      assertThat(running.log().lines())
          .hasSize(20)
          .allSatisfy(line -> assertThat(line).contains(" backend=shop outcome=passed "));
    }
  }

  @ParameterizedTest
  @CsvSource({"batch: 1, 4.1", "batch: 8, 3.3"})
  void whereManyWaitFewCallsDo(String batch, double most) throws Exception {
    int count = 64;
    kernel.stopClock();
    kernel.hold();
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", batch), kernel)) {
      connectTogether(running, count);
      takeInOrder(shop, count);
      int before = kernel.calls();
      kernel.hold();
      connect(running, 1);
      shop.close(shop.take());
      connectTogether(running, count);
      Tests.await("all are passed", () -> running.count(Outcome.PASSED) == 2 * count + 1);

      assertThat(kernel.calls() - before).isLessThanOrEqualTo(5 + 1 + (int) (most * count));
      assertThat(kernel.calls("acceptQueue")).isLessThanOrEqualTo(4);
      for (int i = 0; i < count; i++) {
        shop.close(shop.take());
      }
    }
  }

  @Test
  void oneByOneGoesOneByOneAtOnce() throws Exception {
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 253"), kernel)) {
      for (int i = 1; i <= 5; i++) {
        connect(running, 1);
        shop.close(shop.take());
        assertThat(shop.messageSizes).hasSize(i).containsOnly(1);
      }
    }
  }

  @Test
  void withoutABatchEachGoesAlone() throws Exception {
    kernel.stopClock();
    kernel.hold();
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 1"), kernel)) {
      connectTogether(running, 20);
      takeInOrder(shop, 20);

      assertThat(shop.messageSizes).hasSize(20).containsOnly(1);
    }
  }

  @Test
  void whatWaitedGoesTogetherToo() throws Exception {
    kernel.hold();
    try (Running running = new Running(config("persistent", "batch: 8"), kernel)) {
      connectTogether(running, 20);
      Tests.await("all wait", () -> running.count(Counter.QUEUED) == 20);
      try (TestReceiver shop = receiver("persistent")) {
        takeInOrder(shop, 20);

        assertThat(shop.messageSizes).containsExactly(8, 8, 4);
        Tests.await("all are counted", () -> running.count(Outcome.PASSED) == 20);
      }
    }
  }

  @Test
  void beyondMaxQueueTheRestOfABatchGoesToTheFallback() throws Exception {
    kernel.stopClock();
    kernel.hold();
    try (TestReceiver other = TestReceiver.stream(dir.resolve("other"));
        Running running = new Running(config("persistent", "batch: 8, max-queue: 2"), kernel)) {
      other.messageSizes = new ArrayList<>();
      connectTogether(running, 8);
      for (int i = 2; i < 8; i++) {
        Fd fd = other.take();
        assertThat(other.read(fd)).startsWith("GET /" + i + " ");
        other.close(fd);
      }

      assertThat(other.messageSizes).containsExactly(4, 2);
      assertThat(running.count(Counter.MAX_QUEUE_REACHED)).isEqualTo(6);
      Tests.await("all are counted", () -> running.count(Outcome.PASSED_TO_FALLBACK) == 6);
      // The two that wait end with the proxy, by its clock.
      kernel.startClock();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EINVAL, Errno.EMSGSIZE, Errno.ENOBUFS})
  void aMessageThatIsTooLargeIsSentInParts(int errno) throws Exception {
    kernel.stopClock();
    kernel.hold();
    kernel.fail("sendmsg", descriptors -> descriptors > 5 ? -errno : 0);
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 16"), kernel)) {
      connectTogether(running, 20);
      takeInOrder(shop, 20);

      // 16, 8, then 4 and never more again.
      assertThat(shop.messageSizes).containsExactly(4, 4, 4, 4, 4);
      assertThat(kernel.calls("sendmsg")).isEqualTo(2 + 5);
      assertThat(running.count(Outcome.PASSED)).isEqualTo(20);
    }
  }

  @Test
  void aReceiverWhoseMessagesNeverGoOutEndsInTheFallback() throws Exception {
    kernel.hold();
    kernel.fail("sendmsg", descriptors -> -Errno.EINVAL);
    String yaml =
        config("persistent", "batch: 8")
            .replaceFirst("hand-off-timeout: 60s", "hand-off-timeout: 100ms")
            .replaceFirst("fallback: other", "fallback: { reject: close }");
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(yaml, kernel)) {
      connectTogether(running, 8);
      for (Socket client : clients) {
        assertThat(client.getInputStream().read()).isEqualTo(-1);
      }
      assertThat(shop.poll()).isNull();
      assertThat(running.count(Outcome.REFUSED_UNAVAILABLE)).isEqualTo(8);
      // Every attempt tries 8, 4, 2 and 1 on the socket it has and on a new one, and attempts come
      // 5, 10, 20 ... ms apart: a hundred at most in the 100 ms, though the clock may be late.
      assertThat(kernel.calls("sendmsg")).isLessThan(200);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EAGAIN, Errno.ETOOMANYREFS, Errno.ENOMEM})
  void aFullQueueKeepsTheBatchAndItsOrder(int errno) throws Exception {
    AtomicInteger left = new AtomicInteger(3);
    kernel.hold();
    kernel.fail("sendmsg", descriptors -> left.getAndDecrement() > 0 ? -errno : 0);
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 8"), kernel)) {
      connectTogether(running, 20);
      takeInOrder(shop, 20);

      Tests.await("all are counted", () -> running.count(Outcome.PASSED) == 20);
      assertThat(running.count(Counter.QUEUED)).isPositive();
      assertThat(running.count(Counter.CHANNEL_LOST)).isZero();
      assertThat(shop.messageSizes).allSatisfy(size -> assertThat(size).isLessThanOrEqualTo(8));
    }
  }

  @Test
  void aReceiverThatWasReplacedGetsTheWholeBatch() throws Exception {
    AtomicInteger left = new AtomicInteger(1);
    kernel.stopClock();
    kernel.hold();
    kernel.fail("sendmsg", descriptors -> left.getAndDecrement() > 0 ? -Errno.EPIPE : 0);
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 8"), kernel)) {
      connectTogether(running, 8);
      takeInOrder(shop, 8);

      assertThat(shop.messageSizes).containsExactly(8);
      assertThat(running.count(Counter.CHANNEL_LOST)).isOne();
      assertThat(running.count(Counter.QUEUED)).isZero();
    }
  }

  @Test
  void atTheDescriptorLimitWhatIsGatheredGoesBeforeAnythingIsGivenUp() throws Exception {
    AtomicInteger accepts = new AtomicInteger();
    kernel.stopClock();
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 8"), kernel);
        Socket incomplete = running.connect()) {
      incomplete.getOutputStream().write("GET /".getBytes(StandardCharsets.US_ASCII));
      Tests.await("it is pending", () -> running.count(Counter.INCOMPLETE_AT_FIRST_PEEK) == 1);
      kernel.fail("accept4", none -> accepts.incrementAndGet() == 4 ? -Errno.EMFILE : 0);
      kernel.hold();
      // Something must wake the loop so that it comes to be held.
      incomplete.getOutputStream().write(" ".getBytes(StandardCharsets.US_ASCII));
      connectTogether(running, 6);
      takeInOrder(shop, 6);

      assertThat(shop.messageSizes).first().isEqualTo(3);
      assertThat(running.count(Counter.ACCEPT_LIMIT_REACHED)).isOne();
      assertThat(running.count(Outcome.SHED)).isZero();
    }
  }

  @Test
  void aFaultInTheMiddleEndsEachConnectionOnce() throws Exception {
    kernel.stopClock();
    kernel.hold();
    kernel.fail(
        "sendmsg",
        descriptors -> {
          throw new IllegalStateException("on purpose");
        });
    try (TestReceiver shop = receiver("persistent");
        Running running = new Running(config("persistent", "batch: 8"), kernel)) {
      connectTogether(running, 12);
      for (Socket client : clients) {
        assertEnded(client);
      }
      assertThat(shop.poll()).isNull();
      assertThat(running.count(Outcome.FAILED)).isEqualTo(12);
    }
  }

  private static void assertEnded(Socket client) {
    try {
      assertThat(client.getInputStream().read()).isEqualTo(-1);
    } catch (IOException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }
}
