package dev.peekpass.cli.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PemTest {
  @TempDir private Path directory;

  private Path file(String content) throws IOException {
    return Files.writeString(directory.resolve("a.pem"), content);
  }

  @Test
  void readsBlocksAndIgnoresTheRest() throws IOException {
    byte[] bytes = new byte[100];
    bytes[99] = 7;
    String text = "subject: x\n" + Pem.text("A B", bytes) + "more\r\n" + Pem.text("C", new byte[1]);
    assertThat(Pem.read(file(text)))
        .satisfiesExactly(
            block -> {
              assertThat(block.label()).isEqualTo("A B");
              assertThat(block.der()).isEqualTo(bytes);
            },
            block -> assertThat(block.label()).isEqualTo("C"));
  }

  @Test
  void readsLinesThatEndInCrLf() throws IOException {
    byte[] bytes = new byte[100];
    String text = Pem.text("A", bytes).replace("\n", "\r\n");
    assertThat(Pem.read(file(text)).getFirst().der()).isEqualTo(bytes);
  }

  @Test
  void namesTheFileThatCannotBeRead() {
    Path missing = directory.resolve("missing");
    assertThatThrownBy(() -> Pem.read(missing)).hasMessage(missing + ": no such file");
    assertThatThrownBy(() -> Pem.read(directory)).hasMessageStartingWith(directory + ": ");
  }

  @Test
  void hugeFilesAreRefused() throws IOException {
    Path file = Files.write(directory.resolve("huge"), new byte[(1 << 20) + 1]);
    assertThatThrownBy(() -> Pem.read(file)).hasMessageContaining("not a PEM file");
  }
}
