package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.peekpass.it.Running;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/** What a scenario came to, and which of its promises were broken. */
final class Figures {
  private final String scenario;
  private final String title;
  private final Scale scale;
  private final List<String> broken = new ArrayList<>();
  private final List<String> more = new ArrayList<>();
  private final Map<String, Long> numbers = new LinkedHashMap<>();

  /**
   * None yet.
   *
   * @param scenario how it is called on the command line
   * @param title what happens in it, for people
   */
  Figures(String scenario, String title, Scale scale) {
    this.scenario = scenario;
    this.title = title;
    this.scale = scale;
    say(title);
  }

  /** Tells who waits what is going on. */
  void say(String what) {
    System.out.println("reliability: " + scenario + ": " + what);
  }

  /**
   * Counts the outcomes of connections.
   *
   * @param wasItsOwn whether one that failed was in the hands of what was killed
   */
  void count(Collection<Entry> entries, Predicate<Entry> wasItsOwn) {
    List<Entry> failed = LoadProgram.only(entries, Entry::isFailed);
    long atConnect = failed.stream().filter(Entry::failedAtConnect).count();
    long itsOwn = failed.stream().filter(e -> !e.failedAtConnect() && wasItsOwn.test(e)).count();
    List<Entry> served = LoadProgram.only(entries, Entry::isServed);
    numbers.put("connections", (long) entries.size());
    numbers.put("served", (long) served.size());
    numbers.put("refused_or_reset_at_connect", atConnect);
    numbers.put("lost_otherwise", failed.size() - atConnect - itsOwn);
    numbers.put("lost_with_the_killed", itsOwn);
    numbers.put("p50_us", percentile(served, 50));
    numbers.put("p99_us", percentile(served, 99));
    numbers.put("max_us", percentile(served, 100));
    failed.stream()
        .filter(entry -> !entry.failedAtConnect() && !wasItsOwn.test(entry))
        .limit(5)
        .forEach(entry -> say("failed: " + entry));
  }

  /** The least latency that so many in a hundred do not exceed, in microseconds; 0 of none. */
  static long percentile(Collection<Entry> entries, int percent) {
    long[] sorted = entries.stream().mapToLong(Entry::micros).sorted().toArray();
    return sorted.length == 0
        ? 0
        : sorted[(int) Math.ceilDiv((long) sorted.length * percent, 100) - 1];
  }

  static String millis(long micros) {
    return String.format(Locale.ROOT, "%.1f ms", micros / 1000.0);
  }

  /** How many descriptors the proxy held before and after; it must not have more. */
  void descriptors(long before, long after) {
    numbers.put("descriptors_before", before);
    numbers.put("descriptors_after", after);
    promise("no descriptor is left in the proxy", after <= before);
  }

  /** One more figure, for the table. */
  void put(String name, long number) {
    numbers.put(name, number);
  }

  /** One more figure, for people. */
  void add(String format, Object... arguments) {
    more.add(String.format(Locale.ROOT, format, arguments));
    say(more.getLast());
  }

  /** What must be so. */
  void promise(String what, boolean kept) {
    if (!kept) {
      broken.add(what);
      say("BROKEN: " + what);
    }
  }

  /** What must be so where nothing else is being done. */
  void promiseInTime(String what, boolean kept) {
    if (scale.isTimed()) {
      promise(what, kept);
    }
  }

  /** None failed, in whatever way. */
  void promiseAllServed() {
    promise(
        "all are served", number("connections") > 0 && number("served") == number("connections"));
  }

  long number(String name) {
    return numbers.getOrDefault(name, 0L);
  }

  /** Writes them down, and fails if a promise was broken. */
  void finish() throws IOException {
    assertThat(write()).as("%s: %s", scenario, numbers).isEmpty();
  }

  /** Writes them down; returns the promises that were broken, with the scenario's name. */
  List<String> write() throws IOException {
    Path dir =
        Files.createDirectories(
            Running.ROOT.resolve("it/target/reliability" + (scale.isTimed() ? "" : "/quick")));
    Path file = dir.resolve(scenario + ".json");
    try (JsonGenerator json = new JsonFactory().createGenerator(Files.newOutputStream(file))) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeStringField("scenario", scenario);
      json.writeStringField("title", title);
      json.writeStringField("scale", scale.name().toLowerCase(Locale.ROOT));
      json.writeStringField("date", LocalDate.now(ZoneOffset.UTC).toString());
      for (Map.Entry<String, Long> number : numbers.entrySet()) {
        json.writeNumberField(number.getKey(), number.getValue());
      }
      for (Map.Entry<String, List<String>> list :
          Map.of("more", more, "broken", broken).entrySet()) {
        json.writeArrayFieldStart(list.getKey());
        for (String text : list.getValue()) {
          json.writeString(text);
        }
        json.writeEndArray();
      }
      json.writeEndObject();
    }
    say(
        "%d of %d served, p99 %s"
            .formatted(number("served"), number("connections"), millis(number("p99_us"))));
    return broken.stream().map(what -> scenario + ": " + what).toList();
  }
}
