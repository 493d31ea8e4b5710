package dev.peekpass.proxy.config;

import java.time.Duration;

/**
 * How many of something may come in a time. It is a bucket of as many tokens, which is full at
 * first and fills up again within the time: so many may come at once.
 *
 * @param number 1 to 1,000,000
 * @param period a second or a minute
 */
public record Rate(int number, Duration period) {
  /** As it is written: {@code 100/s}. */
  @Override
  public String toString() {
    return number + (period.equals(Duration.ofSeconds(1)) ? "/s" : "/m");
  }
}
