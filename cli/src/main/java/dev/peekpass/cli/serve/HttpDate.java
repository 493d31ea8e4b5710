package dev.peekpass.cli.serve;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** Dates as HTTP writes them, RFC 9110 section 5.6.7; whole seconds, UTC. */
final class HttpDate {
  private static final DateTimeFormatter FIXED = format("EEE, dd MMM uuuu HH:mm:ss 'GMT'");
  private static final DateTimeFormatter ASCTIME = format("EEE MMM ppd HH:mm:ss uuuu");
  private static final int CENTURY_YEARS = 100;

  private HttpDate() {}

  /** In the one format that is sent today. */
  static String format(Instant instant) {
    return FIXED.format(instant.atOffset(ZoneOffset.UTC));
  }

  /**
   * Reads any of the three formats.
   *
   * @param today decides the century of years with two digits: none is more than 50 years ahead
   * @return empty when it is not a date: RFC 9110 then has the field ignored
   */
  static Optional<Instant> parse(String text, LocalDate today) {
    DateTimeFormatter rfc850 =
        new DateTimeFormatterBuilder()
            .appendPattern("EEEE, dd-MMM-")
            .appendValueReduced(
                ChronoField.YEAR, 2, 2, today.getYear() + CENTURY_YEARS / 2 - CENTURY_YEARS + 1)
            .appendPattern(" HH:mm:ss 'GMT'")
            .toFormatter(Locale.US);
    return Stream.of(FIXED, rfc850, ASCTIME).flatMap(format -> parse(text, format)).findFirst();
  }

  private static Stream<Instant> parse(String text, DateTimeFormatter format) {
    try {
      return Stream.of(LocalDateTime.parse(text, format).toInstant(ZoneOffset.UTC));
    } catch (DateTimeException e) {
      // Another format may fit.
      return Stream.empty();
    }
  }

  private static DateTimeFormatter format(String pattern) {
    return DateTimeFormatter.ofPattern(pattern, Locale.US).withResolverStyle(ResolverStyle.STRICT);
  }
}
