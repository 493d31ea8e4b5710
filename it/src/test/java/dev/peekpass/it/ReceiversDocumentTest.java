package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program printed in docs/receivers.md, run as it says there. */
@Tag("processes")
class ReceiversDocumentTest {
  @TempDir private Path dir;

  private Path program() throws IOException {
    String document = Files.readString(Running.ROOT.resolve("docs/receivers.md"));
    Matcher matcher =
        Pattern.compile("<!-- program: Hello.java -->\n```java\n(.*?)```", Pattern.DOTALL)
            .matcher(document);
    assertThat(matcher.find()).as("docs/receivers.md has Hello.java").isTrue();
    return Files.writeString(dir.resolve("Hello.java"), matcher.group(1));
  }

  private Running hello(Path socket, String... flags) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    command.addAll(List.of("-cp", Running.ROOT.resolve("cli/target/lib") + "/*"));
    command.addAll(List.of(flags));
    command.addAll(List.of(program().toString(), socket.toString()));
    return Running.start(dir, "hello", command);
  }

  @Test
  void theProgramWorksAsPrinted() throws IOException {
    Path socket = dir.resolve("hello.sock");
    String yaml =
        """
        listeners:
          - { bind: "127.0.0.1:0" }
        backends:
          hello: { handoff: "unix:%s" }
        routes:
          - { host: a.example, backend: hello }
        """
            .formatted(socket);
    try (Running hello =
            hello(
                socket,
                "--enable-native-access=ALL-UNNAMED",
                "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED");
        Running proxy = Running.proxy(dir, yaml)) {
      hello.awaitOutput("it is bound", () -> Files.exists(socket));
      try (Socket client = new Socket(InetAddress.getLoopbackAddress(), proxy.port(0))) {
        client
            .getOutputStream()
            .write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII));

        assertThat(new String(client.getInputStream().readAllBytes(), StandardCharsets.US_ASCII))
            .endsWith("hello /127.0.0.1:" + client.getLocalPort() + "\n");
      }
    }
  }

  @Test
  void withoutTheFlagsItSaysWhichAreMissing() throws IOException {
    try (Running hello = hello(dir.resolve("never.sock"))) {
      assertThat(hello.await()).isNotZero();
      assertThat(hello.errors()).contains("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED");
    }
    try (Running hello =
        hello(
            dir.resolve("never.sock"),
            "--illegal-native-access=deny",
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED")) {
      assertThat(hello.await()).isNotZero();
      assertThat(hello.errors()).contains("--enable-native-access=ALL-UNNAMED");
    }
  }
}
