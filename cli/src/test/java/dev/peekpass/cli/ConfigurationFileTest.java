package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.config.ConfigurationReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigurationFileTest {
  private static ConfigurationReader.Result standardInput(InputStream in) {
    return ConfigurationFile.read("-", in);
  }

  @Test
  void aHyphenIsStandardInput() {
    byte[] text = "listeners: [{ bind: \"*:1\" }]".getBytes(StandardCharsets.UTF_8);
    assertThat(standardInput(new ByteArrayInputStream(text)))
        .isInstanceOf(ConfigurationReader.Valid.class);
    assertThat(standardInput(InputStream.nullInputStream()).toString()).contains("<stdin>:1:1: ");
  }

  @Test
  void aFailingReadIsAMistake() {
    InputStream failing =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException("gone");
          }

          @Override
          public int read(byte[] into, int from, int count) throws IOException {
            throw new IOException("gone");
          }
        };
    assertThat(standardInput(failing).toString()).contains("cannot be read: gone");
  }

  @Test
  void whatCanBeReadOnlyOnceIsKnownAlsoWhenItIsGone(@TempDir Path directory) throws IOException {
    Path file = Files.createFile(directory.resolve("a.yaml"));
    assertThat(List.of("-", "/dev/stdin", "/dev/fd/999", "/proc/self/fd/0", "/dev/null"))
        .allMatch(ConfigurationFile::isReadOnce);
    assertThat(List.of(file.toString(), directory.resolve("none").toString(), "a.yaml"))
        .noneMatch(ConfigurationFile::isReadOnce);
  }

  @Test
  void aNameThatIsNoPathIsAMistake() {
    assertThat(ConfigurationFile.read("a\0b", InputStream.nullInputStream()))
        .isInstanceOf(ConfigurationReader.Mistakes.class);
  }
}
