package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.peekpass.proxy.Tests.Running;
import java.lang.management.ManagementFactory;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The hand-off path allocates nothing for a connection in steady state. */
class AllocationTest {
  /** What a downcall that captures errno allocates inside the JDK until C2 removes it. */
  private static final int ERRNO_SLICE_BYTES = 40;

  private static final int WARM_UP = 3000;
  private static final int ROUND = 504;
  private static final int MAX_ROUNDS = 400;

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({"persistent, 1", "once, 1", "datagram, 1", "persistent, 8", "datagram, 8"})
  void nothingIsAllocatedForAPassedConnection(String method, int batch) throws Exception {
    Path path = dir.resolve("shop");
    String yaml =
        """
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          shop: { handoff: "unix:%s", method: %s, batch: %d }
        routes:
          - { host: shop.example, backend: shop }
        """
            .formatted(path, method, batch);
    try (TestReceiver shop =
            method.equals("datagram") ? TestReceiver.datagram(path) : TestReceiver.stream(path);
        Running running = new Running(yaml)) {
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

      // Mostly 0. Where C2 leaves one of the five downcalls to C1, as it may on a loaded machine,
      // the
      // JDK itself makes a slice of the errno segment at each; nothing of ours may come on top.
      assertThat(least)
          .as("bytes allocated for %d connections", ROUND)
          .isIn(0L, (long) ERRNO_SLICE_BYTES * ROUND);
      if (batch > 1) {
        assertThat(running.count(Counter.MESSAGES_SENT))
            .as("messages, of which some had several connections")
            .isLessThan(running.count(Outcome.PASSED));
      }
    }
  }

  /** Passes connections, as many at a time as may go into one message. */
  private static void pass(Running running, TestReceiver shop, int count, int atOnce)
      throws Exception {
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
        shop.close(shop.take());
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
