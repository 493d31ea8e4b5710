package dev.peekpass.proxy.route;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Builds one {@link RouteTable}, route by route in file order. Used by one thread, once. */
public final class RouteTableBuilder {
  /** How many routes one name may have: they are tried one after the other. */
  public static final int MAX_ROUTES_PER_NAME = 1024;

  /** How many regular expressions a table may have: they are tried one after the other. */
  public static final int MAX_REGEXES = 1000;

  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int NONE = -1;

  private final HostHash hash = new HostHash(RANDOM.nextLong());
  private final HostKeys keys = new HostKeys(hash);
  private final List<Route> routes = new ArrayList<>();
  private final List<RegexRoutes.Entry> regexes = new ArrayList<>();
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
   * The earlier route that takes everything a route about to be added could get from one of its
   * patterns: same pattern, and no conditions or the same ones.
   */
  public Optional<Route> shadowing(HostPattern pattern, List<String> alpn, List<Cidr> from) {
    Conditions own = new Conditions(alpn, from);
    for (Route route : routesFor(pattern)) {
      if (route.conditions().equals(Conditions.NONE) || route.conditions().equals(own)) {
        return Optional.of(route);
      }
    }
    return Optional.empty();
  }

  /** Whether a pattern has as many routes as it may. */
  public boolean isFull(HostPattern pattern) {
    return pattern.kind() == HostPattern.Kind.REGEX
        ? regexes.size() >= MAX_REGEXES
        : routesFor(pattern).size() >= MAX_ROUTES_PER_NAME;
  }

  private List<Route> routesFor(HostPattern pattern) {
    if (pattern.kind() == HostPattern.Kind.REGEX) {
      return regexes.stream()
          .filter(entry -> entry.pattern().equals(pattern))
          .map(RegexRoutes.Entry::route)
          .toList();
    }
    int record = routes.isEmpty() ? 0 : keys.find(pattern);
    if (record == 0) {
      return List.of();
    }
    if (!keys.isChained(record)) {
      return List.of(routes.get(keys.value(record)));
    }
    List<Route> found = new ArrayList<>();
    for (int at = keys.value(record); at != NONE; at = chains[at + 1]) {
      found.add(routes.get(chains[at]));
    }
    return found;
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
   * @return the route
   */
  public Route add(
      List<HostPattern> patterns,
      List<String> alpn,
      List<Cidr> from,
      String backendName,
      int backendIndex,
      int line) {
    if (patterns.isEmpty()) {
      throw new IllegalArgumentException("a route needs a pattern");
    }
    int index = routes.size();
    int[] ownKeys = new int[patterns.size()];
    for (int i = 0; i < ownKeys.length; i++) {
      HostPattern pattern = patterns.get(i);
      ownKeys[i] =
          pattern.kind() == HostPattern.Kind.REGEX
              ? keys.insertRegex(pattern.text())
              : link(pattern, index);
    }
    Route route = new Route(keys, ownKeys, conditions(alpn, from), backendName, backendIndex, line);
    routes.add(route);
    for (HostPattern pattern : patterns) {
      if (pattern.kind() == HostPattern.Kind.REGEX) {
        regexes.add(new RegexRoutes.Entry(pattern, HostPattern.compile(pattern.text()), route));
      }
    }
    return route;
  }

  private Conditions conditions(List<String> alpn, List<Cidr> from) {
    if (alpn.isEmpty() && from.isEmpty()) {
      return Conditions.NONE;
    }
    return conditionSets.computeIfAbsent(new Conditions(alpn, from), same -> same);
  }

  private int link(HostPattern pattern, int route) {
    int record = keys.find(pattern);
    if (record == 0) {
      record = keys.insert(pattern);
      keys.setValue(record, route, false);
      if (pattern.kind() != HostPattern.Kind.EXACT) {
        int depth = labels(pattern.name());
        wildcardDepths[depth / Long.SIZE] |= 1L << depth;
      }
      return record;
    }
    if (!keys.isChained(record)) {
      keys.setValue(record, chain(keys.value(record)), true);
    }
    int last = keys.value(record);
    while (chains[last + 1] != NONE) {
      last = chains[last + 1];
    }
    int appended = chain(route);
    chains[last + 1] = appended;
    return record;
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
    keys.trim();
    return new RouteTable(
        hash,
        keys,
        routes.toArray(Route[]::new),
        Arrays.copyOf(chains, chainsUsed),
        wildcardDepths,
        new RegexRoutes(regexes));
  }
}
