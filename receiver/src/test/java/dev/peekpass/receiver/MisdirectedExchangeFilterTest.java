package dev.peekpass.receiver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MisdirectedExchangeFilterTest {
  private HttpServer server;
  @TempDir private Path dir;

  @BeforeEach
  void start() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    var context =
        server.createContext(
            "/",
            exchange -> {
              exchange.getRequestBody().readAllBytes();
              exchange.sendResponseHeaders(204, -1);
              exchange.close();
            });
    context.getFilters().add(new MisdirectedExchangeFilter(ServedNames.of("shop.example")));
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private static String ask(Socket client, BufferedReader in, String request) throws IOException {
    client.getOutputStream().write(request.getBytes(US_ASCII));
    String status = in.readLine().split(" ", -1)[1];
    while (!in.readLine().isEmpty()) {
      // The header fields.
    }
    return status;
  }

  @Test
  void aLaterRequestForAnotherNameIsMisdirectedAndTheConnectionGoesOn() throws IOException {
    try (Socket client =
            new Socket(InetAddress.getLoopbackAddress(), server.getAddress().getPort());
        BufferedReader in =
            new BufferedReader(new InputStreamReader(client.getInputStream(), US_ASCII))) {
      String right = "GET / HTTP/1.1\r\nHost: Shop.Example:80\r\n\r\n";
      assertThat(ask(client, in, right)).isEqualTo("204");
      assertThat(
              ask(
                  client,
                  in,
                  "POST / HTTP/1.1\r\nHost: blog.example\r\nContent-Length: 7\r\n\r\nshall I"))
          .isEqualTo("421");
      assertThat(ask(client, in, right)).isEqualTo("204");
      // RFC 9112 section 3.2.2: the target goes before Host.
      assertThat(ask(client, in, "GET http://blog.example/ HTTP/1.1\r\nHost: shop.example\r\n\r\n"))
          .isEqualTo("421");
      // The handler may go by either.
      assertThat(ask(client, in, "GET http://shop.example/ HTTP/1.1\r\nHost: blog.example\r\n\r\n"))
          .isEqualTo("421");
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GET / | Host: shop.example | 204",
        "GET / | Host: SHOP.example.:80 | 204",
        "GET / | Host: | 204",
        "GET http://shop.example/ | Host: shop.example | 204",
        "GET http://Shop.example:80/ | Host: | 204",
        "GET / | Host: blog.example | 421",
        "GET / | Host: [::1] | 421",
        "GET / | Host: shop.example:80:90 | 421",
        "GET / | Host: shop.example;Host: blog.example | 400",
        "GET / | Host: shop.example;Host: shop.example | 400",
        "GET / | Host:;HOST: shop.example | 400",
        "GET http://shop.example/ | Host: blog.example | 421",
        "GET http://blog.example/ | Host: shop.example | 421",
        "GET http://BLOG.example.:80/ | Host: shop.example | 421",
        "GET http://[::1]:80/ | Host: shop.example | 421",
        "GET http://blog.example/ | Host: | 421",
        "GET http://shop.example@blog.example/ | Host: shop.example | 421",
        "GET http://shop.example:80@blog.example/ | Host: shop.example | 421",
        "GET ftp://blog.example/ | Host: shop.example | 421",
        "GET //blog.example/ | Host: shop.example | 421"
      })
  void everyHostOfARequestMustBeServed(String line, String fields, String status)
      throws IOException {
    String request = line + " HTTP/1.1\r\n" + fields.replace(";", "\r\n") + "\r\n\r\n";
    String right = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    try (Socket client =
            new Socket(InetAddress.getLoopbackAddress(), server.getAddress().getPort());
        BufferedReader in =
            new BufferedReader(new InputStreamReader(client.getInputStream(), US_ASCII))) {
      assertThat(ask(client, in, request)).as("the first").isEqualTo(status);
      assertThat(ask(client, in, right)).isEqualTo("204");
      assertThat(ask(client, in, request)).as("a later one").isEqualTo(status);
      assertThat(ask(client, in, right)).isEqualTo("204");
    }
  }

  /** The handshake of an IP address has no server name. */
  @ParameterizedTest
  @CsvSource({
    "NONE, shop.example, 421",
    "NONE, admin.example, 421",
    "shop.example, shop.example, 204",
    "shop.example, admin.example, 421",
    "blog.example, shop.example, 421"
  })
  void aTlsConnectionIsHeldToTheNameOfItsHandshakeIfItHadOneOrNot(
      String serverName, String host, String status) throws Exception {
    SSLContext tls = Certificates.context(dir);
    HttpsServer https =
        HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    https.setHttpsConfigurator(new HttpsConfigurator(tls));
    ServedNames names = ServedNames.of("shop.example", "admin.example").onlyTheNameOfTheHandshake();
    https
        .createContext("/", MisdirectedExchangeFilterTest::noContent)
        .getFilters()
        .add(new MisdirectedExchangeFilter(names));
    https.start();
    try (SSLSocket client =
            (SSLSocket)
                tls.getSocketFactory()
                    .createSocket(InetAddress.getLoopbackAddress(), https.getAddress().getPort());
        BufferedReader in =
            new BufferedReader(new InputStreamReader(client.getInputStream(), US_ASCII))) {
      SSLParameters parameters = client.getSSLParameters();
      parameters.setServerNames(
          serverName.equals("NONE") ? List.of() : List.of(new SNIHostName(serverName)));
      client.setSSLParameters(parameters);
      assertThat(ask(client, in, "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")).isEqualTo(status);
    } finally {
      https.stop(0);
    }
  }

  private static void noContent(HttpExchange exchange) throws IOException {
    exchange.sendResponseHeaders(204, -1);
    exchange.close();
  }
}
