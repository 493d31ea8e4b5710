package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class UnixPathTest {
  @Test
  void readsThePath() {
    assertThat(new UnixPath().convert("unix:/run/a.sock")).isEqualTo(Path.of("/run/a.sock"));
    assertThat(new UnixPath().convert("unix:a.sock")).isEqualTo(Path.of("a.sock"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "/run/a.sock", "unix:", "tcp:1", "unix:a\0b"})
  void refusesTheRest(String text) {
    assertThatThrownBy(() -> new UnixPath().convert(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessageContaining("must be unix:PATH");
  }
}
