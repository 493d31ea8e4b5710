package dev.peekpass.jmh;

import dev.peekpass.proxy.route.HostPattern;
import dev.peekpass.proxy.route.Reading;
import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.proxy.route.RouteTableBuilder;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Names for a route table, and names to look up in it. One name in ten is a wildcard; all have
 * three labels and 22 bytes on average, and each has a route of its own.
 */
final class NameSet {
  static final int BACKENDS = 16;

  private static final String[] SUFFIXES = {"com", "example", "co.uk", "net", "org"};
  private static final int SEED = 20_261_101;

  private final int count;

  NameSet(int count) {
    this.count = count;
  }

  private static boolean isWildcard(int index) {
    return index % 10 == 9;
  }

  /** A name that depends on the index alone; the number in it keeps it unique. */
  private static String name(int index, String label) {
    Random random = new Random(SEED + (long) index);
    StringBuilder name = new StringBuilder(label).append('.');
    for (int letters = 3 + random.nextInt(9); letters > 0; letters--) {
      name.append((char) ('a' + random.nextInt(26)));
    }
    name.append(Integer.toString(index, 36)).append('.');
    return name.append(SUFFIXES[random.nextInt(SUFFIXES.length)]).toString();
  }

  /**
   * A table with all names.
   *
   * @param regexes how many regular expressions stand behind them
   */
  RouteTable table(int regexes) {
    RouteTableBuilder builder = new RouteTableBuilder();
    for (int i = 0; i < count; i++) {
      add(builder, HostPattern.parseHost(name(i, isWildcard(i) ? "*" : "www")));
    }
    for (int i = 0; i < regexes; i++) {
      add(builder, HostPattern.parseRegex("api" + i + "-[0-9]+[.].*[.]example"));
    }
    return builder.build();
  }

  private static void add(RouteTableBuilder builder, Reading<HostPattern> reading) {
    if (!(reading instanceof Reading.Good<HostPattern>(HostPattern pattern))) {
      throw new IllegalStateException(reading.toString());
    }
    int index = builder.size();
    builder.add(List.of(pattern), List.of(), List.of(), "b", index % BACKENDS, index + 1);
  }

  /** Names that are in the table as they are. */
  ProbeList exactHits() {
    return shuffled(index -> isWildcard(index) ? null : name(index, "www"), 0);
  }

  /** Names that a wildcard takes, and nothing else. */
  ProbeList wildcardHits() {
    return shuffled(index -> isWildcard(index) ? name(index, "w" + index % 97) : null, 0);
  }

  /** Names that nothing takes, of the same shape. */
  ProbeList misses() {
    return shuffled(index -> name(index, "www"), count);
  }

  /** Names that the last of some regular expressions takes. */
  ProbeList regexHits(int regexes) {
    String label = "api" + (regexes - 1) + "-";
    return shuffled(index -> label + index + ".shop.example", 0);
  }

  private ProbeList shuffled(ProbeList.Maker maker, int from) {
    List<Integer> order =
        Arrays.asList(IntStream.range(from, from + count).boxed().toArray(Integer[]::new));
    Collections.shuffle(order, new Random(SEED));
    return new ProbeList(order, maker);
  }
}
