package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What docs/receivers.md and README.md print for servers that others have made, run as printed. */
class DocumentsTest {
  @TempDir private Path dir;

  private static String printed(String document, String mark) throws IOException {
    Matcher matcher =
        Pattern.compile("<!-- " + mark + " -->\n```[a-z]+\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Running.ROOT.resolve(document)));
    assertThat(matcher.find()).as("%s has %s", document, mark).isTrue();
    return matcher.group(1);
  }

  /** Asks with HTTP/1.1 and returns all of the answer. */
  private static String ask(int port, List<Integer> from) throws IOException {
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      from.add(client.getLocalPort());
      client
          .getOutputStream()
          .write(
              "GET /whoami HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
                  .getBytes(US_ASCII));
      return new String(client.getInputStream().readAllBytes(), US_ASCII);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"JettyHello", "TomcatHello"})
  void theProgramWorksAsPrinted(String name) throws IOException {
    Path socket = dir.resolve("hello.sock");
    Path program =
        Files.writeString(
            dir.resolve(name + ".java"),
            printed("docs/receivers.md", "program: " + name + ".java"));
    List<String> command =
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "-cp",
            System.getProperty("java.class.path"),
            "--illegal-native-access=deny",
            "--enable-native-access=ALL-UNNAMED",
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            program.toString(),
            socket.toString(),
            dir.resolve("base").toString());
    try (Running server = Running.start(dir, "server", command);
        Running proxy =
            Running.proxy(
                dir,
                """
                listeners:
                  - { bind: "127.0.0.1:0", fallback: hello }
                backends:
                  hello: { handoff: "unix:%s" }
                """
                    .formatted(socket))) {
      server.awaitOutput("it is bound", () -> Files.exists(socket));
      for (int i = 0; i < 20; i++) {
        List<Integer> port = new ArrayList<>();
        assertThat(ask(proxy.port(0), port))
            .startsWith("HTTP/1.1 200")
            .contains("hello 127.0.0.1:" + port.getFirst() + "\n");
      }
      assertThat(server.stop()).isIn(0, 143);
    }
  }

  @Test
  void theThreeLinesOfTheReadmeBringASpringBootJarBehindTheProxy() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    String lines =
        printed("README.md", "three lines")
            .replace("/tmp/app.sock", dir.resolve("app.sock").toString())
            .replace(
                "your-spring-boot-app.jar",
                Running.ROOT.resolve("matrix-boot/target/app.jar").toRealPath().toString())
            .replace("app.yaml", dir.resolve("app.yaml").toString())
            .replace("127.0.0.1:8000", "127.0.0.1:" + port);
    assertThat(lines.lines()).hasSize(3);
    String script =
        "PATH='%s/bin':$PATH\ncd '%s'\n%s"
            .formatted(System.getProperty("java.home"), Running.ROOT.toRealPath(), lines);
    try (Running shell = Running.start(dir, "shell", List.of("bash", "-c", script))) {
      shell.awaitOutput(
          "both are ready",
          () ->
              shell.output().contains("Started BootApplication")
                  && shell.output().contains("peekpass: listening on"));
      List<Integer> from = new ArrayList<>();
      assertThat(ask(port, from))
          .startsWith("HTTP/1.1 200")
          .contains("127.0.0.1:" + from.getFirst());
    }
  }
}
