package dev.peekpass.receiver;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A receiver in a process that is at its limit of open descriptors. */
@Tag("processes")
class DescriptorLimitTest {
  /** More than what a small JVM has open itself, and fewer than there are clients. */
  private static final int LIMIT = 128;

  private static final int CLIENTS = 240;

  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  /**
   * The process is full before the first connection comes, so that nothing that is only then done
   * for the first time, logging above all, finds a descriptor. Then the connections fill it.
   */
  @ParameterizedTest
  @CsvSource({"STREAM, 1", "STREAM, 8", "DATAGRAM, 1", "DATAGRAM, 8"})
  void noConnectionIsLostAndReceivingGoesOn(SocketType type, int batch) throws Exception {
    Path path = dir.resolve("app.sock");
    List<String> command =
        new ArrayList<>(List.of("sh", "-c", "ulimit -n " + LIMIT + "; exec \"$@\"", "sh"));
    command.addAll(
        Child.java(
            "--enable-native-access=ALL-UNNAMED",
            "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            "-Djava.util.logging.config.file=" + loggingToAFile(),
            FullProcess.class.getName(),
            path.toString(),
            type.name()));
    try (Child server = new Child(command)) {
      server.lineWith("full");
      Fd listener = proxy.listen("127.0.0.1");
      List<Accepted> sent = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        sent.add(proxy.client(listener, "127.0.0.1"));
      }
      Fd to = proxy.connect(path, type);
      // Blocks when the receiver's queue is full, which it is soon.
      FutureTask<Void> sending =
          new FutureTask<>(() -> {
            for (int i = 0; i < CLIENTS; i += batch) {
              Fd[] message = new Fd[batch];
              for (int j = 0; j < batch; j++) {
                message[j] = sent.get(i + j).fd();
              }
              proxy.send(to, message);
              for (Fd fd : message) {
                proxy.close(fd);
              }
            }
            return null;
          });
      Thread.ofPlatform().start(sending);
      server.lineWith("waiting");
      server.say("make room");
      server.lineWith("full of connections");
      sending.get();
      for (Accepted each : sent) {
        assertAnswered(each);
      }

      // The limit is over, and another connection comes.
      Accepted late = proxy.client(listener, "127.0.0.1");
      proxy.pass(to, late);
      assertAnswered(late);
      server.endInput();
      assertThat(server.lineWith("Statistics"))
          .contains("accepted=" + (CLIENTS + 1) + ",")
          .contains(" gone=0,")
          .contains(" truncated=0,")
          .contains(" unlogged=0]");
    }
    assertThat(log()).content().contains("until there is room");
  }

  private Path log() {
    return dir.resolve("receiver.log");
  }

  /** A logger that needs two descriptors before it can say anything: for its file and a lock. */
  private Path loggingToAFile() throws IOException {
    return Files.writeString(
        dir.resolve("logging.properties"),
        """
        handlers=java.util.logging.FileHandler
        java.util.logging.FileHandler.pattern=%s
        java.util.logging.FileHandler.formatter=java.util.logging.SimpleFormatter
        """
            .formatted(log()));
  }

  private static void assertAnswered(Accepted accepted) throws IOException {
    String said = new String(accepted.client().getInputStream().readAllBytes(), US_ASCII);
    assertThat(said).isEqualTo("/127.0.0.1:" + accepted.client().getLocalPort());
  }
}
