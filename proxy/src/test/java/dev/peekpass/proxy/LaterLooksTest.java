package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.Tests.Running;
import dev.peekpass.proxy.status.Outcome;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** A head that comes a byte at a time costs few looks, and arrives. */
class LaterLooksTest {
  /** The first looks are free (LaterLooks); one more may be under way. */
  private static final int MOST_LOOKS = 17;

  private static final String YAML =
      """
      listeners: [ { bind: "127.0.0.1:0", peek-timeout: 60s, defer-accept: false } ]
      backends:
        shop: { handoff: "unix:/nonexistent/shop.sock" }
      routes:
        - { host: shop.example, backend: shop }
      """;

  private static final byte[] HEAD =
      "GET / HTTP/1.1\r\nHost: other.example\r\nAccept: text/html\r\n\r\n"
          .getBytes(StandardCharsets.US_ASCII);

  @Test
  void manyPiecesAreLookedAtOnceInATime() throws Exception {
    SteeredKernel kernel = new SteeredKernel();
    kernel.stopClock();
    try (Running running = new Running(YAML, kernel);
        Socket client = running.connect()) {
      client.setTcpNoDelay(true);
      OutputStream out = client.getOutputStream();
      for (byte each : HEAD) {
        int waits = kernel.calls("epollWait");
        int looks = kernel.calls("recv");
        out.write(each);
        // Time stands still, so that the loop goes round while a later look is due.
        Tests.await(
            "it has been seen",
            () ->
                kernel.calls("recv") > looks
                    || (looks >= MOST_LOOKS - 1 && kernel.calls("epollWait") > waits + 2));
      }
      assertThat(kernel.calls("recv")).isLessThanOrEqualTo(MOST_LOOKS);
      assertThat(running.count(Outcome.REFUSED_NO_ROUTE)).isZero();

      kernel.startClock();

      Tests.await("it is complete", () -> running.count(Outcome.REFUSED_NO_ROUTE) == 1);
      assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
          .startsWith("HTTP/1.1 421 ");
    }
  }
}
