package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.status.Counter;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class AccessLogTest {

  /** Somebody has piped the log into a program that stopped reading. */
  @Test
  void aLogThatNobodyReadsHoldsUpNoConnection() throws Exception {
    CountDownLatch reading = new CountDownLatch(1);
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    OutputStream stuck =
        new OutputStream() {
          @Override
          public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
          }

          @Override
          public void write(byte[] bytes, int from, int count) {
            try {
              reading.await();
            } catch (InterruptedException e) {
              throw new AssertionError(e);
            }
            written.write(bytes, from, count);
          }
        };
    String yaml =
        """
        access-log: true
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          nobody: { handoff: "unix:/nowhere" }
        routes:
          - { host: a.example, backend: nobody }
        fallback: { reject: close }
        """;
    int connections = AccessLog.RING_ENTRIES + 300;
    Proxy proxy =
        Proxy.start(
            Tests.configuration(yaml),
            LinuxKernel::open,
            new PrintStream(stuck, true, StandardCharsets.UTF_8));
    int port = Integer.parseInt(proxy.addresses().getFirst().replaceAll(".*:", ""));
    for (int i = 0; i < connections; i++) {
      try (Socket client = new Socket()) {
        client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        client.getOutputStream().write(0);
        assertThat(client.getInputStream().read()).as("the end").isNegative();
      }
    }
    long dropped = proxy.counts().getOrDefault(Counter.ACCESS_LOG_DROPPED, 0L);
    reading.countDown();
    proxy.stop();
    assertThat(proxy.await()).isTrue();

    assertThat(dropped).isPositive();
    assertThat(written.toString(StandardCharsets.UTF_8).lines().count())
        .isEqualTo(connections - dropped);
  }
}
