package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteRangeTest {
  @ParameterizedTest
  @CsvSource({
    "bytes=0-0, 0, 1",
    "bytes=0-9, 0, 10",
    "bytes=5-, 5, 5",
    "bytes=5-99, 5, 5",
    "bytes=-3, 7, 3",
    "bytes=-99, 0, 10",
    "Bytes= 2-3, 2, 2",
    "bytes=9-99999999999999999999999, 9, 1",
  })
  void oneRangeIsAPart(String field, long from, long length) {
    assertThat(ByteRange.of(field, 10)).isEqualTo(new ByteRange.Part(from, length));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"})
  void beyondTheEndIsUnsatisfiable(String field) {
    assertThat(ByteRange.of(field, 10)).isEqualTo(new ByteRange.Unsatisfiable());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "lines=0-1",
        "bytes=0"
      })
  void whatIsNoRangeIsIgnored(String field) {
    assertThat(ByteRange.of(field, 10)).isEqualTo(new ByteRange.Whole());
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes=0-1,3-4", "bytes=0-,0-,0-,0-"})
  void severalRangesGetTheWhole(String field) {
    assertThat(ByteRange.of(field, 10)).isEqualTo(new ByteRange.Whole());
  }

  @ParameterizedTest
  @ValueSource(strings = {"bytes=0-", "bytes=-1", "bytes=0-0"})
  void anEmptyFileHasNoRange(String field) {
    assertThat(ByteRange.of(field, 0)).isEqualTo(new ByteRange.Unsatisfiable());
  }
}
