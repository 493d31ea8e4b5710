package dev.peekpass.proxy.route;

import org.jspecify.annotations.Nullable;

/**
 * Refuses regular expressions that could burn time without reading a character, where the limit on
 * reading ({@link HostChars#MAX_STEPS}) does not reach: groups repeated within repeated groups.
 * What is left takes some milliseconds at the worst.
 */
final class RegexLimits {
  /** How deep groups may nest. */
  static final int MAX_DEPTH = 3;

  /** What all counts of an expression, multiplied, may come to. */
  static final int MAX_REPEATS = 65_536;

  private RegexLimits() {}

  /** What is wrong, or null. Overestimates a quoted text ({@code \Q...\E}). */
  static Reading.@Nullable Bad<HostPattern> mistake(String regex) {
    int depth = 0;
    int deepest = 0;
    long repeats = 1;
    boolean inClass = false;
    for (int i = 0; i < regex.length(); i++) {
      char c = regex.charAt(i);
      if (c == '\\') {
        i++;
      } else if (inClass) {
        inClass = c != ']';
      } else if (c == '[') {
        inClass = true;
      } else if (c == '(') {
        deepest = Math.max(deepest, ++depth);
      } else if (c == ')') {
        depth--;
      } else if (c == '{') {
        repeats = Math.min(repeats * count(regex, i + 1), MAX_REPEATS + 1L);
      }
    }
    String quoted = Quotation.of(regex);
    if (deepest > MAX_DEPTH) {
      return new Reading.Bad<>(
          quoted + " nests groups " + deepest + " deep",
          "write at most " + MAX_DEPTH + " ( within each other, or several expressions");
    }
    if (repeats > MAX_REPEATS) {
      return new Reading.Bad<>(
          quoted + " repeats something too often",
          "write counts in { } that multiply to at most " + MAX_REPEATS);
    }
    return null;
  }

  /** The largest number of a repetition, at least 1. */
  private static long count(String regex, int from) {
    long largest = 1;
    long number = 0;
    for (int i = from; i < regex.length() && regex.charAt(i) != '}'; i++) {
      char c = regex.charAt(i);
      boolean digit = c >= '0' && c <= '9';
      number = digit ? Math.min(number * 10 + c - '0', MAX_REPEATS + 1L) : 0;
      largest = Math.max(largest, number);
    }
    return largest;
  }
}
