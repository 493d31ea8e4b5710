package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class ByteSizeTest {
  private final ByteSize size = new ByteSize();

  @Test
  void readsBytesAndBinaryUnits() {
    assertThat(size.convert("1")).isEqualTo(1);
    assertThat(size.convert("17B")).isEqualTo(17);
    assertThat(size.convert("64KiB")).isEqualTo(65_536);
    assertThat(size.convert("1024MiB")).isEqualTo(1 << 30);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "-1", "64K", "64 KiB", "1.5MiB", "1025MiB", "9999999999MiB"})
  void refusesWhatIsNoSizeOrOutOfRange(String text) {
    assertThatThrownBy(() -> size.convert(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessageContaining("must be a size from 1 to 1024MiB, is " + text);
  }
}
