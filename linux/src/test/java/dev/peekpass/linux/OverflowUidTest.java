package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OverflowUidTest {
  @TempDir private Path dir;

  @Test
  void itIsWhatTheKernelSaysAndElseItsDefault() throws Exception {
    Path file = Files.writeString(dir.resolve("overflowuid"), "4294967290\n");
    assertThat(OverflowUid.read(file)).isEqualTo(-6);
    assertThat(OverflowUid.read(Files.writeString(file, "x"))).isEqualTo(65534);
    assertThat(OverflowUid.read(dir.resolve("absent"))).isEqualTo(65534);
    Process cat = new ProcessBuilder("cat", "/proc/sys/kernel/overflowuid").start();
    try (BufferedReader said = cat.inputReader()) {
      assertThat(OverflowUid.get()).hasToString(said.readLine());
    }
  }

  @Test
  void itIsNobodysInParticular() {
    assertThat(OverflowUid.isEverybodys(OverflowUid.get())).isTrue();
    assertThat(OverflowUid.isEverybodys(-1)).isTrue();
    assertThat(OverflowUid.isEverybodys(0)).isFalse();
    assertThat(OverflowUid.isEverybodys(33)).isFalse();
  }
}
