package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/**
 * What {@link AdapterFaultTest} lets the JDK's HttpServer off with: without Peekpass it does the
 * same. When this fails, that is to go.
 */
class HttpServerStopTest {
  private static final int PATIENCE_SECONDS = 60;

  @Test
  void whatItHasAcceptedAndNotBegunToReadItDrops() throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
    try (Socket first =
            new Socket(InetAddress.getLoopbackAddress(), server.getAddress().getPort());
        Socket second =
            new Socket(InetAddress.getLoopbackAddress(), server.getAddress().getPort())) {
      first.setSoTimeout(PATIENCE_SECONDS * 1000);
      second
          .getOutputStream()
          .write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      assertThat(second.getInputStream().read()).as("an answer").isNotNegative();
      // Accepted in the order they came, so the first is, too.
      server.stop(PATIENCE_SECONDS);
      assertThat(first.getInputStream().read()).as("its end").isNegative();
    }
  }
}
