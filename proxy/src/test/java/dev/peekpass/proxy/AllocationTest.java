package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.ThreadMXBean;
import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The hand-off path allocates nothing for a connection in steady state, once the compiler is done.
 * The build runs this with C2 alone, as the proxy is shipped; with C1 beside it, it may leave one
 * of the five downcalls to C1.
 */
class AllocationTest {
  /** What a downcall that captures errno allocates inside the JDK in code of C1's. */
  private static final int ERRNO_SLICE_BYTES = 40;

  private static final int WARM_UP = 3000;
  private static final int ROUND = 504;
  private static final int MAX_ROUNDS = 400;

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({
    "persistent, 1",
    "once, 1",
    "datagram, 1",
    "acknowledged, 1",
    "persistent, 8",
    "datagram, 8",
    "acknowledged, 8"
  })
  void nothingIsAllocatedForAPassedConnection(String method, int batch) throws Exception {
    Path path = dir.resolve("shop");
    try (Shop shop = method.equals("acknowledged") ? acknowledging(path) : plain(method, path)) {
      measure(shop, "handoff: \"unix:" + path + "\", method: " + method, batch);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "persistent, round-robin, 1",
    "persistent, least-connections, 8",
    "persistent, source-hash, 1",
    "datagram, least-connections, 1"
  })
  void norIsItWhereSeveralSocketsAreBalanced(String method, String balance, int batch)
      throws Exception {
    Path a = dir.resolve("a");
    Path b = dir.resolve("b");
    boolean datagram = method.equals("datagram");
    try (TestReceiver first = datagram ? TestReceiver.datagram(a) : TestReceiver.stream(a);
        TestReceiver second = datagram ? TestReceiver.datagram(b) : TestReceiver.stream(b)) {
      measure(
          either(first, second),
          "handoff: [\"unix:%s\", \"unix:%s\"], method: %s, balance: %s"
              .formatted(a, b, method, balance),
          batch);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "max-pending-per-client: 9, max-new-per-client: 1000000/s, allow: 127.0.0.0/8",
        "client-prefix: { ipv4: 24 }, deny: [192.0.2.0/24, 127.0.0.9]"
      })
  void norIsItWhereClientsAreLimited(String keys) throws Exception {
    Path path = dir.resolve("shop");
    try (Shop shop = plain("persistent", path)) {
      measure(shop, "handoff: \"unix:" + path + "\"", 1, ", " + keys);
    }
  }

  private static void measure(Shop shop, String backend, int batch) throws Exception {
    measure(shop, backend, batch, "");
  }

  private static void measure(Shop shop, String backend, int batch, String keys) throws Exception {
    String yaml =
        """
        %s
        listeners:
          - { bind: "127.0.0.1:0"%s }
        backends:
          shop: { %s, batch: %d }
        routes:
          - { host: shop.example, backend: shop }
        """
            .formatted(keys.isEmpty() ? "" : "max-new-per-client: 1000000/s", keys, backend, batch);
    try (Running running = new Running(yaml)) {
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long loop = loopThread();
      pass(running, shop, WARM_UP, batch);
      // Steady is what it becomes once all is compiled, which takes as long as it takes.
      long least = Long.MAX_VALUE;
      for (int i = 0; i < MAX_ROUNDS && least > 0; i++) {
        long before = threads.getThreadAllocatedBytes(loop);
        pass(running, shop, ROUND, batch);
        least = Math.min(least, threads.getThreadAllocatedBytes(loop) - before);
      }

      // The last connection of a round may still be under way when it is counted.
      assertThat(least)
          .as("bytes allocated for %d connections", ROUND)
          .isIn(
              compilesWithC1()
                  ? List.of(0L, ERRNO_SLICE_BYTES * (ROUND - 1L), (long) ERRNO_SLICE_BYTES * ROUND)
                  : List.of(0L));
      if (batch > 1) {
        assertThat(running.count(Counter.MESSAGES_SENT))
            .as("messages, of which some had several connections")
            .isLessThan(running.count(Outcome.PASSED));
      }
    }
  }

  private static boolean compilesWithC1() {
    return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
        .getVMOption("TieredCompilation")
        .getValue()
        .equals("true");
  }

  /** Where the connections go. */
  private interface Shop extends AutoCloseable {
    /** Waits for one and closes it. */
    void takeOne();

    @Override
    void close() throws IOException;
  }

  private static Shop plain(String method, Path path) throws IOException {
    TestReceiver receiver =
        method.equals("datagram") ? TestReceiver.datagram(path) : TestReceiver.stream(path);
    return new Shop() {
      @Override
      public void takeOne() {
        receiver.close(receiver.take());
      }

      @Override
      public void close() throws IOException {
        receiver.close();
      }
    };
  }

  /** Takes from both; closes neither. */
  private static Shop either(TestReceiver first, TestReceiver second) {
    return new Shop() {
      @Override
      public void takeOne() {
        Tests.await(
            "a connection is handed off",
            () -> {
              for (TestReceiver receiver : List.of(first, second)) {
                Fd fd = receiver.poll();
                if (fd != null) {
                  receiver.close(fd);
                  return true;
                }
              }
              return false;
            });
      }

      @Override
      public void close() {}
    };
  }

  private static Shop acknowledging(Path path) throws IOException {
    TestAcknowledger receiver = new TestAcknowledger(path);
    return new Shop() {
      private boolean greeted;

      @Override
      public void takeOne() {
        if (!greeted) {
          greeted = true;
          receiver.accept().greet(true, 100);
        }
        TestAcknowledger.Offered offered = receiver.next();
        assertThat(receiver.claim(offered)).isTrue();
        receiver.close(offered);
        receiver.ack(offered.number() + 1, offered.number() + 100);
      }

      @Override
      public void close() throws IOException {
        receiver.close();
      }
    };
  }

  /** Passes connections, as many at a time as may go into one message. */
  private static void pass(Running running, Shop shop, int count, int atOnce) throws Exception {
    byte[] request =
        "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);
    Socket[] clients = new Socket[atOnce];
    for (int i = 0; i < count; i += atOnce) {
      for (int j = 0; j < atOnce; j++) {
        clients[j] = running.connect();
      }
      for (Socket client : clients) {
        client.getOutputStream().write(request);
      }
      for (Socket client : clients) {
        shop.takeOne();
        client.close();
      }
    }
  }

  private static long loopThread() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("loop-0"))
        .mapToLong(Thread::threadId)
        .max()
        .orElseThrow();
  }
}
