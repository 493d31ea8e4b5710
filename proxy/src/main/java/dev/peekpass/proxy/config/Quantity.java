package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.Reading;
import java.time.Duration;

/** Numbers with units. */
final class Quantity {
  private static final int MAX_DIGITS = 9;

  private Quantity() {}

  /** Reads {@code 250ms}, {@code 5s} or {@code 2m}. */
  static Reading<Duration> duration(String text, Duration least, Duration most) {
    int digits = digits(text);
    long factor =
        switch (text.substring(digits)) {
          case "ms" -> 1;
          case "s" -> 1000;
          case "m" -> 60_000;
          default -> 0;
        };
    String remedy =
        "write a whole number of ms, s or m, from " + spell(least) + " to " + spell(most);
    if (factor == 0 || digits == 0 || digits > MAX_DIGITS) {
      return new Reading.Bad<>(Quotation.of(text) + " is not a duration", remedy);
    }
    Duration value = Duration.ofMillis(Long.parseLong(text, 0, digits, 10) * factor);
    return value.compareTo(least) < 0 || value.compareTo(most) > 0
        ? new Reading.Bad<>(text + " is out of range", remedy)
        : new Reading.Good<>(value);
  }

  private static String spell(Duration value) {
    long millis = value.toMillis();
    if (millis == 0) {
      return "0s";
    }
    return millis % 60_000 == 0
        ? millis / 60_000 + "m"
        : millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
  }

  /** Reads {@code 4096}, {@code 64KiB} or {@code 1MiB}, a number of bytes. */
  static Reading<Integer> size(String text, int leastBytes, int mostBytes) {
    int digits = digits(text);
    long factor =
        switch (text.substring(digits)) {
          case "" -> 1;
          case "KiB" -> 1024;
          case "MiB" -> 1024 * 1024;
          default -> 0;
        };
    String remedy =
        "write a whole number of bytes, KiB or MiB, from "
            + spell(leastBytes)
            + " to "
            + spell(mostBytes);
    if (factor == 0 || digits == 0 || digits > MAX_DIGITS) {
      return new Reading.Bad<>(Quotation.of(text) + " is not a size", remedy);
    }
    long value = Long.parseLong(text, 0, digits, 10) * factor;
    return value < leastBytes || value > mostBytes
        ? new Reading.Bad<>(text + " is out of range", remedy)
        : new Reading.Good<>((int) value);
  }

  private static String spell(int bytes) {
    return bytes % (1024 * 1024) == 0
        ? bytes / (1024 * 1024) + "MiB"
        : bytes % 1024 == 0 ? bytes / 1024 + "KiB" : Integer.toString(bytes);
  }

  /** Reads a whole number in decimal. */
  static Reading<Integer> count(String text, int least, int most) {
    int digits = digits(text);
    String remedy = "write a whole number from " + least + " to " + most;
    if (digits == 0 || digits != text.length()) {
      return new Reading.Bad<>(Quotation.of(text) + " is not a whole number", remedy);
    }
    long value = digits > MAX_DIGITS ? Long.MAX_VALUE : Long.parseLong(text);
    return value < least || value > most
        ? new Reading.Bad<>(text + " is out of range", remedy)
        : new Reading.Good<>((int) value);
  }

  /** Reads {@code 100/s} or {@code 6000/m}, a number in a second or a minute. */
  static Reading<Rate> rate(String text, int most) {
    int digits = digits(text);
    String remedy =
        "write a whole number from 1 to "
            + most
            + " and /s or /m, such as 100/s for a hundred in a second";
    Duration period =
        switch (text.substring(digits)) {
          case "/s" -> Duration.ofSeconds(1);
          case "/m" -> Duration.ofMinutes(1);
          default -> Duration.ZERO;
        };
    if (period.isZero() || digits == 0) {
      return new Reading.Bad<>(Quotation.of(text) + " is not a rate", remedy);
    }
    return switch (count(text.substring(0, digits), 1, most)) {
      case Reading.Good<Integer>(Integer number) -> new Reading.Good<>(new Rate(number, period));
      case Reading.Bad<Integer> bad -> new Reading.Bad<>(text + " is out of range", remedy);
    };
  }

  private static int digits(String text) {
    int digits = 0;
    while (digits < text.length() && text.charAt(digits) >= '0' && text.charAt(digits) <= '9') {
      digits++;
    }
    return digits;
  }
}
