package dev.peekpass.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.SequenceInputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;

/** HTTP/2 over TLS with the JDK's client; single connections and resets as {@link HttpTalk}. */
final class Http2Talk extends HttpTalk {
  private static final int REQUESTS = 50;

  Http2Talk(String host, int port, SSLContext tls) {
    super(host, port, tls);
  }

  @Override
  public void keepAlive() throws Exception {
    try (HttpClient client =
        HttpClient.newBuilder()
            .sslContext(Objects.requireNonNull(tls))
            .version(HttpClient.Version.HTTP_2)
            .build()) {
      HttpRequest whoami = request("/whoami").build();
      String first = client.send(whoami, HttpResponse.BodyHandlers.ofString()).body();
      assertIsThisClients(first);
      for (int i = 0; i < REQUESTS; i++) {
        HttpResponse<String> again = client.send(whoami, HttpResponse.BodyHandlers.ofString());
        assertThat(again.version()).isEqualTo(HttpClient.Version.HTTP_2);
        assertThat(again.body()).as("the same connection").isEqualTo(first);
      }
      var big =
          client.send(request("/big").build(), HttpResponse.BodyHandlers.ofInputStream()).body();
      assertThat(Payload.sum(big)).isEqualTo(Payload.sum());
      HttpRequest sum =
          request("/sum")
              .POST(
                  HttpRequest.BodyPublishers.fromPublisher(
                      HttpRequest.BodyPublishers.ofInputStream(Http2Talk::payload), Payload.BYTES))
              .build();
      assertThat(client.send(sum, HttpResponse.BodyHandlers.ofString()).body())
          .isEqualTo(Payload.sum());
    }
  }

  private static java.io.InputStream payload() {
    return new SequenceInputStream(
        Collections.enumeration(
            IntStream.range(0, Payload.CHUNKS)
                .mapToObj(i -> (java.io.InputStream) new ByteArrayInputStream(Payload.chunk(i)))
                .toList()));
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("https://" + host + ":" + port + path));
  }

  /** Whether there is a connection from this address to the proxy's port. */
  private void assertIsThisClients(String address) {
    assertThat(address).startsWith("127.0.0.1:");
    String from = ":%04X ".formatted(Integer.parseInt(address.substring(10)));
    String to = ":%04X 01 ".formatted(port);
    Stream.Builder<String> lines = Stream.builder();
    for (String table : List.of("tcp", "tcp6")) {
      try {
        // proc_pid_net(5): local address, remote address, state 01 for ESTABLISHED.
        Files.readAllLines(Path.of("/proc/net/" + table)).forEach(lines::add);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    assertThat(lines.build().anyMatch(line -> line.contains(from) && line.contains(to)))
        .as("%s is connected to port %s", address, port)
        .isTrue();
  }
}
