package dev.peekpass.it.fault;

import dev.peekpass.it.Running;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What a proxy says of the connections that failed, and of the backends that it lost. */
final class ProxyLog {
  private static final Pattern CONNECTION =
      Pattern.compile("^(\\S+) client=(\\S+) .* outcome=(\\S+) ");
  private static final Pattern LOST = Pattern.compile("^(\\S+) INFO +backend web: .* lost: ");
  private static final Pattern DROPPED = Pattern.compile(" access-log-dropped=(\\d+)");
  // The log has milliseconds, and its clock is not the load's.
  private static final long SLACK_MICROS = 5_000;

  private record Line(long micros, String outcome) {}

  private final Map<String, List<Line>> lines = new HashMap<>();
  private final List<Long> lost = new ArrayList<>();
  private final long dropped;

  /** Reads the lines of these connections; the proxy has ended. */
  ProxyLog(Running proxy, List<Entry> of) {
    // By which the log's clock is ahead of CLOCK_MONOTONIC, which System.nanoTime is.
    long ahead = micros(Instant.now()) - System.nanoTime() / 1000;
    Set<String> clients = of.stream().map(Entry::client).collect(Collectors.toSet());
    for (String line : proxy.output().lines().toList()) {
      Matcher matcher = CONNECTION.matcher(line);
      if (matcher.find() && clients.contains(matcher.group(2))) {
        long at = micros(Instant.parse(matcher.group(1))) - ahead;
        lines
            .computeIfAbsent(matcher.group(2), client -> new ArrayList<>())
            .add(new Line(at, matcher.group(3)));
      }
    }
    Matcher counter = DROPPED.matcher(proxy.errors());
    dropped = counter.find() ? Long.parseLong(counter.group(1)) : 0;
    for (String line : proxy.errors().lines().toList()) {
      Matcher matcher = LOST.matcher(line);
      if (matcher.find()) {
        lost.add(micros(Instant.parse(matcher.group(1))) - ahead);
      }
    }
  }

  /** How many lines it lacks. */
  long droppedLines() {
    return dropped;
  }

  private static long micros(Instant instant) {
    return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1000;
  }

  /**
   * Whether a backend had touched a failed connection when it was killed: the proxy saw that it had
   * (lost), or had its acknowledgement before it saw the end of the backend. Such a connection goes
   * with its backend, as it would with any proxy.
   *
   * @param kills when backends were killed, in microseconds of CLOCK_MONOTONIC
   */
  boolean wasTouched(Entry failed, List<Long> kills) {
    for (Line line : lines.getOrDefault(failed.client(), List.of())) {
      if (line.micros < failed.begunMicros() - SLACK_MICROS
          || line.micros > failed.endedMicros() + 1_000_000) {
        continue;
      }
      if (line.outcome.equals("lost")) {
        return true;
      }
      if (line.outcome.equals("passed") && passedToTheDead(failed, line.micros, kills)) {
        return true;
      }
    }
    return false;
  }

  private boolean passedToTheDead(Entry failed, long passed, List<Long> kills) {
    for (int i = 0; i < kills.size(); i++) {
      long kill = kills.get(i);
      long next = i + 1 < kills.size() ? kills.get(i + 1) : Long.MAX_VALUE;
      // Each loop of the proxy sees it for itself.
      long seen =
          lost.stream()
              .filter(at -> at >= kill - SLACK_MICROS && at < next)
              .mapToLong(at -> at)
              .max()
              .orElse(kill);
      if (failed.endedMicros() >= kill - SLACK_MICROS && passed <= seen + SLACK_MICROS) {
        return true;
      }
    }
    return false;
  }
}
