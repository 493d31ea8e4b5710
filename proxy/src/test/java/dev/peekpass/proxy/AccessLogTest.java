package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.status.Counter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

class AccessLogTest {
  private static final String WITH_LOG = "access-log: true\n";
  private static final String YAML =
      """
      listeners:
        - { bind: "127.0.0.1:0" }
      backends:
        nobody: { handoff: "unix:/nowhere" }
      routes:
        - { host: a.example, backend: nobody }
      fallback: { reject: close }
      """;

  /** Somebody has piped the log into a program that stopped reading, and may go on. */
  private static final class StuckReader implements LineSink {
    final CountDownLatch reading = new CountDownLatch(1);
    final ByteArrayOutputStream written = new ByteArrayOutputStream();

    @Override
    public int write(byte[] lines, int length, BooleanSupplier givesUp) {
      while (reading.getCount() > 0) {
        if (givesUp.getAsBoolean()) {
          return (int) new String(lines, 0, length, StandardCharsets.UTF_8).lines().count();
        }
        LockSupport.parkNanos(1_000_000);
      }
      written.write(lines, 0, length);
      return 0;
    }
  }

  private static void connect(Proxy proxy, int times) throws IOException {
    int port = Integer.parseInt(proxy.addresses().getFirst().replaceAll(".*:", ""));
    for (int i = 0; i < times; i++) {
      try (Socket client = new Socket()) {
        client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        client.getOutputStream().write(0);
        assertThat(client.getInputStream().read()).as("the end").isNegative();
      }
    }
  }

  private static long count(Proxy proxy, Counter counter) {
    return proxy.counts().getOrDefault(counter, 0L);
  }

  @Test
  void aLogThatNobodyReadsHoldsUpNoConnection() throws Exception {
    StuckReader stuck = new StuckReader();
    int connections = AccessLog.RING_ENTRIES + 300;
    Proxy proxy = Proxy.start(Tests.configuration(WITH_LOG + YAML), LinuxKernel::open, stuck);
    connect(proxy, connections);
    long dropped = count(proxy, Counter.ACCESS_LOG_DROPPED);
    stuck.reading.countDown();
    proxy.stop();
    assertThat(proxy.await()).isTrue();

    assertThat(dropped).isPositive();
    assertThat(stuck.written.toString(StandardCharsets.UTF_8).lines().count())
        .isEqualTo(connections - dropped);
    assertThat(count(proxy, Counter.ACCESS_LOG_FAILED)).isZero();
  }

  @Test
  void aLogThatNobodyReadsEndsWithItsLoopAndCountsWhatIsLost() throws Exception {
    Proxy proxy =
        Proxy.start(Tests.configuration(WITH_LOG + YAML), LinuxKernel::open, new StuckReader());
    connect(proxy, 50);
    proxy.stop();

    assertThat(proxy.await()).isTrue();
    assertThat(count(proxy, Counter.ACCESS_LOG_FAILED)).isEqualTo(50);
  }

  @Test
  void logsThatAReloadEndsLeaveNoThreadThoughNobodyReads() throws Exception {
    Proxy proxy =
        Proxy.start(Tests.configuration(WITH_LOG + YAML), LinuxKernel::open, new StuckReader());
    for (int i = 0; i < 10; i++) {
      connect(proxy, 1);
      proxy.reload(Tests.configuration(YAML));
      proxy.reload(Tests.configuration(WITH_LOG + YAML));
    }
    Tests.await("but one has ended", () -> count(proxy, Counter.ACCESS_LOG_FAILED) == 10);
    Tests.await(
        "their threads have",
        () ->
            Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().equals("access-log"))
                    .count()
                <= 1);
    proxy.stop();
    assertThat(proxy.await()).isTrue();
  }
}
