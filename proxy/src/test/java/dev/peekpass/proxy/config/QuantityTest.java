package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.Reading;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class QuantityTest {
  private static Reading<Duration> duration(String text) {
    return Quantity.duration(text, Duration.ofMillis(100), Duration.ofMinutes(5));
  }

  private static Reading<Integer> size(String text) {
    return Quantity.size(text, 1024, 1024 * 1024);
  }

  @ParameterizedTest
  @CsvSource({"100ms, 100", "5s, 5000", "2m, 120000", "5m, 300000", "000250ms, 250"})
  void readsDurations(String text, long millis) {
    assertThat(duration(text)).isEqualTo(new Reading.Good<>(Duration.ofMillis(millis)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "5",
        "s",
        "99ms",
        "301s",
        "6m",
        "1.5s",
        "5 s",
        "5S",
        "-5s",
        "1h",
        "5seconds",
        "9999999999s",
        "99999999999999999999ms"
      })
  void refusesDurations(String text) {
    assertThat(duration(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad ->
                assertThat(bad.remedy())
                    .isEqualTo("write a whole number of ms, s or m, from 100ms to 5m"));
  }

  @ParameterizedTest
  @CsvSource({"1024, 1024", "4096, 4096", "64KiB, 65536", "1MiB, 1048576"})
  void readsSizes(String text, int bytes) {
    assertThat(size(text)).isEqualTo(new Reading.Good<>(bytes));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "KiB", "1023", "2MiB", "64K", "64kib", "64 KiB", "64KB", "1e4", "9999999999"})
  void refusesSizes(String text) {
    assertThat(size(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad ->
                assertThat(bad.remedy())
                    .isEqualTo("write a whole number of bytes, KiB or MiB, from 1KiB to 1MiB"));
  }

  @Test
  void readsCounts() {
    assertThat(Quantity.count("1", 1, 64)).isEqualTo(new Reading.Good<>(1));
    assertThat(Quantity.count("64", 1, 64)).isEqualTo(new Reading.Good<>(64));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "65", "-1", "+1", "1.0", "0x10", "1_0", "99999999999999999999"})
  void refusesCounts(String text) {
    assertThat(Quantity.count(text, 1, 64)).isInstanceOf(Reading.Bad.class);
  }
}
