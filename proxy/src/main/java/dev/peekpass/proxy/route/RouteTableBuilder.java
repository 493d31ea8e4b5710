package dev.peekpass.proxy.route;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Builds one {@link RouteTable}, route by route in file order. Used by one thread, once. */
public final class RouteTableBuilder {
  /** How many routes one name may have: they are tried one after the other. */
  public static final int MAX_ROUTES_PER_NAME = 1024;

  /** How many regular expressions a table may have: they are tried one after the other. */
  public static final int MAX_REGEXES = 1000;

  /** A regular expression of a route. */
  private record Regex(HostPattern pattern, int route) {}

  private static final int NONE = -1;

  private final HostHash hash = HostHash.random();
  private final HostKeys keys = new HostKeys(hash);
  private final Routes routes = new Routes();
  private final List<Regex> regexes = new ArrayList<>();
  private final Map<Conditions, Conditions> conditionSets = new HashMap<>();
  private final long[] wildcardDepths = new long[2];
  // Pairs of a route's index and the place of the next pair.
  private int[] chains = new int[16];
  private int chainsUsed;

  /** An empty table with a secret of its own for its hash. */
  public RouteTableBuilder() {}

  /** How many routes have been added. */
  public int size() {
    return routes.size();
  }

  /** How many regular expressions have been added. */
  public int regexCount() {
    return regexes.size();
  }

  /**
   * The line of the earlier route that takes everything a route about to be added could get from
   * one of its patterns: same pattern, and no conditions or the same ones.
   */
  public OptionalInt shadowingLine(HostPattern pattern, List<String> alpn, List<Cidr> from) {
    Conditions own = new Conditions(alpn, from);
    for (int route : routesOf(pattern)) {
      Conditions conditions = routes.destination(route).conditions();
      if (conditions.equals(Conditions.NONE) || conditions.equals(own)) {
        return OptionalInt.of(routes.line(route));
      }
    }
    return OptionalInt.empty();
  }

  /** Whether a pattern has as many routes as it may. */
  public boolean isFull(HostPattern pattern) {
    return pattern.kind() == HostPattern.Kind.REGEX
        ? regexes.size() >= MAX_REGEXES
        : routesOf(pattern).length >= MAX_ROUTES_PER_NAME;
  }

  private int[] routesOf(HostPattern pattern) {
    if (pattern.kind() == HostPattern.Kind.REGEX) {
      return regexes.stream()
          .filter(regex -> regex.pattern().equals(pattern))
          .mapToInt(Regex::route)
          .toArray();
    }
    int key = keys.find(pattern);
    return key == 0 ? new int[0] : routesOf(key);
  }

  private int[] routesOf(int key) {
    if (!keys.isChained(key)) {
      return new int[] {keys.value(key)};
    }
    int[] found = new int[MAX_ROUTES_PER_NAME];
    int count = 0;
    for (int at = keys.value(key); at != NONE; at = chains[at + 1]) {
      found[count++] = chains[at];
    }
    return Arrays.copyOf(found, count);
  }

  /**
   * Adds a route behind those that are there.
   *
   * @param patterns at least one, none of them {@linkplain #isFull full}
   * @param alpn names of 1 to 255 Latin-1 characters, one of which the client must offer; empty: no
   *     matter
   * @param from blocks, one of which the client must come from; empty: no matter
   * @param backendName the backend's name
   * @param backendIndex the backend's place in the configuration
   * @param line the route's line in the file, from 1
   * @return the route's place in the file, from 0
   */
  public int add(
      List<HostPattern> patterns,
      List<String> alpn,
      List<Cidr> from,
      String backendName,
      int backendIndex,
      int line) {
    if (patterns.isEmpty()) {
      throw new IllegalArgumentException("a route needs a pattern");
    }
    int route = routes.size();
    int[] ownKeys = new int[patterns.size()];
    for (int i = 0; i < ownKeys.length; i++) {
      HostPattern pattern = patterns.get(i);
      if (pattern.kind() == HostPattern.Kind.REGEX) {
        ownKeys[i] = ~regexes.size();
        regexes.add(new Regex(pattern, route));
      } else {
        ownKeys[i] = link(pattern, route);
      }
    }
    return routes.add(
        ownKeys, new Destination(conditions(alpn, from), backendName, backendIndex), line);
  }

  private Conditions conditions(List<String> alpn, List<Cidr> from) {
    if (alpn.isEmpty() && from.isEmpty()) {
      return Conditions.NONE;
    }
    return conditionSets.computeIfAbsent(new Conditions(alpn, from), same -> same);
  }

  private int link(HostPattern pattern, int route) {
    int key = keys.find(pattern);
    if (key == 0) {
      key = keys.insert(pattern);
      keys.setValue(key, route, false);
      if (pattern.kind() != HostPattern.Kind.EXACT) {
        int depth = labels(pattern.name());
        wildcardDepths[depth / Long.SIZE] |= 1L << depth;
      }
      return key;
    }
    if (!keys.isChained(key)) {
      keys.setValue(key, chain(keys.value(key)), true);
    }
    int last = keys.value(key);
    while (chains[last + 1] != NONE) {
      last = chains[last + 1];
    }
    int appended = chain(route);
    chains[last + 1] = appended;
    return key;
  }

  private int chain(int route) {
    if (chainsUsed + 2 > chains.length) {
      chains = Arrays.copyOf(chains, 2 * chains.length);
    }
    int at = chainsUsed;
    chains[at] = route;
    chains[at + 1] = NONE;
    chainsUsed += 2;
    return at;
  }

  private static int labels(String name) {
    return name.isEmpty() ? 0 : 1 + (int) name.chars().filter(c -> c == '.').count();
  }

  /** The table. The builder must not be used afterwards. */
  public RouteTable build() {
    int[] regexOwners = regexes.stream().mapToInt(Regex::route).toArray();
    HostIndex index = new HostIndex(keys, this::routesOf, routes, regexOwners);
    routes.finish(key -> key < 0 ? key : keys.value(key));
    List<RegexRoutes.Entry> entries = new ArrayList<>();
    for (Regex regex : regexes) {
      entries.add(
          new RegexRoutes.Entry(
              regex.pattern(),
              HostPattern.compile(regex.pattern().text()),
              regex.route(),
              routes.destination(regex.route()),
              index.extraPlace(entries.size(), regexes.size())));
    }
    return new RouteTable(hash, index, routes, wildcardDepths, new RegexRoutes(entries));
  }
}
