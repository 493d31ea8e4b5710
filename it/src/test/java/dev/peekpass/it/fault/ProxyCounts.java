package dev.peekpass.it.fault;

import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a proxy's status says of the connections of its clients.
 *
 * @param accepted so far
 * @param ended those of them that have an outcome
 * @param queued in the kernel, to be accepted
 * @param pending accepted, and not complete
 * @param waiting for a backend
 * @param stoodStill turns of its threads that took more than 100 ms
 * @param faults in it
 */
record ProxyCounts(
    long accepted,
    long ended,
    long queued,
    long pending,
    long waiting,
    long stoodStill,
    long faults) {
  /** Lists of what there is now, then how connections have ended, then the counters. */
  private static final Pattern STATUS =
      Pattern.compile("(.*)\"outcomes\":\\{([^}]*)},\"counters\":\\{([^}]*)}.*", Pattern.DOTALL);

  private static final Pattern NUMBER = Pattern.compile("\"([^\"]+)\":(\\d+)");

  static ProxyCounts of(Deployment all) throws IOException {
    String status = all.command("status");
    Matcher parts = STATUS.matcher(status);
    if (!parts.matches()) {
      throw new AssertionError(status);
    }
    return new ProxyCounts(
        sum(parts.group(3), "accepted"),
        sum(parts.group(2), ""),
        sum(parts.group(1), "queued"),
        sum(parts.group(1), "pending"),
        sum(parts.group(1), "waiting"),
        sum(parts.group(3), "stood-still"),
        sum(parts.group(3), "faults"));
  }

  /** The sum of the numbers of a name, or of all. */
  private static long sum(String json, String name) {
    return NUMBER
        .matcher(json)
        .results()
        .filter(number -> name.isEmpty() || number.group(1).equals(name))
        .mapToLong(number -> Long.parseLong(number.group(2)))
        .sum();
  }

  /** Whether the proxy has none that has not ended. */
  boolean isIdle() {
    return queued + pending + waiting == 0 && accepted == ended;
  }
}
