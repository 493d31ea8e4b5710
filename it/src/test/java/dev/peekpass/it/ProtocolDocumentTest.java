package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The receivers printed in docs/protocol.md, taken out of it and run behind the real proxy. */
@Tag("processes")
class ProtocolDocumentTest {
  private static final int MOST_LINES = 30;

  @TempDir private Path dir;

  @ParameterizedTest
  @CsvSource({
    "stream, once",
    "stream, persistent",
    "stream, auto",
    "datagram, datagram",
    "datagram, auto",
    "acknowledged, acknowledged",
    "acknowledged, auto"
  })
  void aReceiverWorksAsPrinted(String receiver, String method) throws IOException {
    Tool.require("python3");
    String program = printed(receiver);
    assertThat(program.lines().filter(line -> !line.isBlank()).count())
        .isLessThanOrEqualTo(MOST_LINES);
    Path script = Files.writeString(dir.resolve("receiver.py"), program);
    Path socket = dir.resolve("r.sock");
    String yaml =
        """
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          r: { handoff: "unix:%s", method: %s }
        routes:
          - { host: a.example, backend: r }
        """
            .formatted(socket, method);
    try (Running python =
            Running.start(dir, "python", List.of("python3", script.toString(), socket.toString()));
        Running proxy = Running.proxy(dir, yaml)) {
      python.awaitOutput("it is bound", () -> Files.exists(socket));
      for (int i = 0; i < 5; i++) {
        try (Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0))) {
          client
              .getOutputStream()
              .write(
                  "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));

          assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
              .isEqualTo(
                  "HTTP/1.0 200 OK\r\n\r\nhello 127.0.0.1:"
                      + client.getLocalPort()
                      + (receiver.equals("acknowledged") ? " at a.example" : "")
                      + "\n");
        }
      }
      assertThat(proxy.stop()).isZero();
      assertThat(proxy.errors()).contains(" passed=5;");
    }
  }

  private static String printed(String receiver) throws IOException {
    String document = Files.readString(Running.ROOT.resolve("docs/protocol.md"));
    Matcher matcher =
        Pattern.compile("<!-- receiver: " + receiver + " -->\n```python\n(.*?)```", Pattern.DOTALL)
            .matcher(document);
    assertThat(matcher.find()).as("docs/protocol.md has a receiver for %s", receiver).isTrue();
    return matcher.group(1);
  }
}
