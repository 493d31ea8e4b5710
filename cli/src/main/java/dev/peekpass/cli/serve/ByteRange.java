package dev.peekpass.cli.serve;

import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a {@code Range} field asks for, RFC 9110 section 14.
 *
 * <p>A field with several ranges gets the whole file, as section 14.2 allows: multipart answers let
 * a small request cost a large response many times over, and the clients that resume or seek ask
 * for one range at a time.
 */
sealed interface ByteRange {
  /** The whole file, with status 200. */
  record Whole() implements ByteRange {}

  /**
   * One part, with status 206.
   *
   * @param from offset of its first byte
   * @param lengthBytes at least 1
   */
  record Part(long from, long lengthBytes) implements ByteRange {}

  /** No byte of the file: status 416. */
  record Unsatisfiable() implements ByteRange {}

  /** One range, in the form of RFC 9110 section 14.1.2. */
  Pattern SINGLE = Pattern.compile("(?i)bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*");

  /**
   * Reads a field.
   *
   * @param field the value; what is no range, or of another unit, is as if it were not there
   * @param sizeBytes how long the file is
   */
  static ByteRange of(String field, long sizeBytes) {
    Matcher single = SINGLE.matcher(field);
    if (!single.matches() || (single.group(1).isEmpty() && single.group(2).isEmpty())) {
      return new Whole();
    }
    if (single.group(1).isEmpty()) {
      long length = Math.min(number(single.group(2)), sizeBytes);
      return length == 0 ? new Unsatisfiable() : new Part(sizeBytes - length, length);
    }
    long first = number(single.group(1));
    long last = single.group(2).isEmpty() ? Long.MAX_VALUE : number(single.group(2));
    if (last < first) {
      return new Whole();
    }
    if (first >= sizeBytes) {
      return new Unsatisfiable();
    }
    return new Part(first, Math.min(last, sizeBytes - 1) - first + 1);
  }

  private static long number(String digits) {
    return new BigInteger(digits).min(BigInteger.valueOf(Long.MAX_VALUE)).longValueExact();
  }
}
