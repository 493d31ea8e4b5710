package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.time.LocalDate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HttpDateTest {
  // The example of RFC 9110 section 5.6.7, in its three formats.
  private static final Instant EXAMPLE = Instant.parse("1994-11-06T08:49:37Z");
  private static final LocalDate TODAY = LocalDate.of(2026, 11, 1);

  @Test
  void writesTheFixedFormat() {
    assertThat(HttpDate.format(EXAMPLE.plusNanos(1))).isEqualTo("Sun, 06 Nov 1994 08:49:37 GMT");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
      })
  void readsAllThreeFormats(String text) {
    assertThat(HttpDate.parse(text, TODAY)).contains(EXAMPLE);
  }

  @Test
  void shortYearsAreAtMostFiftyAhead() {
    assertThat(HttpDate.parse("Sunday, 01-Nov-76 00:00:00 GMT", TODAY))
        .contains(Instant.parse("2076-11-01T00:00:00Z"));
    assertThat(HttpDate.parse("Tuesday, 01-Nov-77 00:00:00 GMT", TODAY))
        .contains(Instant.parse("1977-11-01T00:00:00Z"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "now",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 99999999999 08:49:37 GMT",
      })
  void otherTextIsNoDate(String text) {
    assertThat(HttpDate.parse(text, TODAY)).isEmpty();
  }
}
