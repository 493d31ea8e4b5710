package dev.peekpass.proxy.admin;

import java.time.Duration;

/**
 * How long the two processes of a takeover wait for each other. The new one's time is the shorter:
 * it is the one that ends when the other is too slow, so it must know first.
 *
 * @param old from the old process's offer to the new one's being ready
 * @param young from the new process's request to its being told that it may accept
 */
public record TakeoverTimes(Duration old, Duration young) {
  /** What is used. */
  public static final TakeoverTimes STANDARD =
      new TakeoverTimes(Duration.ofSeconds(30), Duration.ofSeconds(25));

  /**
   * Checks.
   *
   * @throws IllegalArgumentException when the new process's time is not the shorter
   */
  public TakeoverTimes {
    if (young.compareTo(old) >= 0) {
      throw new IllegalArgumentException(young + " must be shorter than " + old);
    }
  }

  /** A time for messages, such as {@code 25 s}. */
  static String text(Duration time) {
    long millis = time.toMillis();
    return millis % 1000 == 0 ? millis / 1000 + " s" : millis + " ms";
  }
}
