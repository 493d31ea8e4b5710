package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.config.ConfigurationReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

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
  void aNameThatIsNoPathIsAMistake() {
    assertThat(ConfigurationFile.read("a\0b", InputStream.nullInputStream()))
        .isInstanceOf(ConfigurationReader.Mistakes.class);
  }
}
