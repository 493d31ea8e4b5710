package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CheckCommandTest {
  @TempDir private Path directory;

  private Path file(String text) throws IOException {
    return Files.writeString(directory.resolve("peekpass.yaml"), text);
  }

  @Test
  void aGoodFileIsOneLine() throws IOException {
    Path file =
        file(
            """
            listeners:
              - bind: "*:443"
              - { bind: "*:80", routes: [ { host: a, backend: web }, { host: b, backend: web } ] }
            backends: { web: { handoff: "unix:/run/web.sock" } }
            routes: [ { host: a, backend: web } ]
            """);
    CommandRun run = CommandRun.of("check", "--receivers=off", "-c", file);
    assertThat(run.code()).isZero();
    assertThat(run.out()).isEqualTo(file + ": ok, 2 listeners, 1 backend, 3 routes\n");
    assertThat(run.err().lines().filter(line -> !line.contains(": it serves as root: "))).isEmpty();
  }

  @Test
  void warningsDoNotFail() throws IOException {
    Path file =
        file("listeners: [{ bind: \"*:443\" }]\nbackends: { web: { handoff: \"unix:/w\" } }\n");
    CommandRun run = CommandRun.of("check", "--config", file);
    assertThat(run.code()).isZero();
    assertThat(run.out()).endsWith(": ok, 1 listener, 1 backend, 0 routes\n");
    assertThat(run.err()).startsWith("warning: " + file + ":2:13: ");
  }

  @Test
  void everyMistakeIsALine() throws IOException {
    Path file = file("thread: 1\nlisteners: []\n");
    CommandRun run = CommandRun.of("check", "-c", file);
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines())
        .containsExactly(
            file + ":1:1: \"thread\" is not a key of a configuration, did you mean \"threads\"?",
            file + ":2:12: there is no listener, write - bind: \"[::]:443\"");
  }

  @Test
  void whatCannotBeReadIsAMistake() throws IOException {
    Path missing = directory.resolve("missing.yaml");
    assertThat(CommandRun.of("check", "-c", missing))
        .isEqualTo(
            new CommandRun(
                1,
                "",
                missing + ":1:1: there is no such file, write the path of a configuration\n"));
    assertThat(CommandRun.of("check", "-c", directory).err())
        .startsWith(directory + ":1:1: the file cannot be read: ");
    Path latin1 = directory.resolve("latin1.yaml");
    Files.write(latin1, "# \u00fc".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(CommandRun.of("check", "-c", latin1).err()).contains("is not UTF-8");
  }
}
