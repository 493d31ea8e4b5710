package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import com.sun.management.UnixOperatingSystemMXBean;
import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** Waves of clients, each as many as may be pending, that come and go. */
class WavesTest {
  private static final int WAVE = 6000;

  /** Two for each client, and some. */
  private static final int DESCRIPTORS = 2 * WAVE + 500;

  /** Some calls leave 40 bytes each until C2 has compiled them; a connection has some 870. */
  private static final int ALLOWED_BYTES_EACH = 140;

  private static final int MOST_WAVES = 30;

  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0", backlog: 512, max-pending: %d }
      backends:
        shop: { handoff: "unix:/nonexistent/shop.sock" }
      routes:
        - { host: shop.example, backend: shop }
      """
          .formatted(WAVE);

  @Test
  void leaveNothingToCollect() throws IOException {
    long most =
        ((UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getMaxFileDescriptorCount();
    Assumptions.assumeTrue(
        most >= DESCRIPTORS,
        () ->
            "SKIPPED: needs %,d descriptors, and the limit (ulimit -n) is %,d"
                .formatted(DESCRIPTORS, most));
    try (Running running = new Running(YAML)) {
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long loop = loopThread();
      wave(running, 1);
      long least = Long.MAX_VALUE;
      long bound = (long) ALLOWED_BYTES_EACH * WAVE;
      for (int i = 2; i <= MOST_WAVES && least > bound; i++) {
        long before = threads.getThreadAllocatedBytes(loop);
        wave(running, i);
        least = Math.min(least, threads.getThreadAllocatedBytes(loop) - before);
      }

      assertThat(least).as("bytes allocated for %d clients", WAVE).isLessThanOrEqualTo(bound);
    }
  }

  private static void wave(Running running, int number) throws IOException {
    String address = running.proxy.addresses().getFirst();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    List<SocketChannel> clients = new ArrayList<>();
    try {
      for (int i = 0; i < WAVE; i++) {
        SocketChannel client =
            SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        clients.add(client);
        client.write(ByteBuffer.wrap(new byte[] {'G'}));
      }
      Tests.await("all are pending", () -> pending(running) == WAVE);
    } finally {
      for (SocketChannel client : clients) {
        client.close();
      }
    }
    Tests.await("all have ended", () -> running.count(Outcome.TRUNCATED) == (long) number * WAVE);
  }

  private static int pending(Running running) {
    return running.proxy.status().listeners().stream().mapToInt(ListenerStatus::pending).sum();
  }

  private static long loopThread() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("loop-0"))
        .mapToLong(Thread::threadId)
        .max()
        .orElseThrow();
  }
}
