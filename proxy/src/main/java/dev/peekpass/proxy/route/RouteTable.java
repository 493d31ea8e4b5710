package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All routes of a listener. Immutable, used by any number of threads.
 *
 * <p>Precedence: exact name; longest wildcard; regular expression in file order. Several routes for
 * one name are tried in file order; when the conditions of none hold, the next weaker kind has its
 * turn. A look-up does not slow with the number of names, only with that of regular expressions.
 */
public final class RouteTable {
  private final HostHash hash;
  private final HostKeys keys;
  private final Route[] routes;
  // By slot: the route of a name that has but one. Beside the slots, so that a look-up that misses
  // the cache waits for the route and the name at the same time.
  private final @Nullable Route[] onlyRoutes;
  private final int[] chains;
  // Bit d: some wildcard has d labels behind its star. Spares looking up the other suffixes.
  private final long wildcardDepthsLow;
  private final long wildcardDepthsHigh;
  private final RegexRoutes regexes;

  RouteTable(
      HostHash hash,
      HostKeys keys,
      Route[] routes,
      int[] chains,
      long[] wildcardDepths,
      RegexRoutes regexes) {
    this.hash = hash;
    this.keys = keys;
    this.routes = routes;
    this.onlyRoutes = new Route[keys.slotCount()];
    for (int slot = 0; slot < onlyRoutes.length; slot++) {
      int record = keys.recordAt(slot);
      onlyRoutes[slot] = record == 0 || keys.isChained(record) ? null : routes[keys.value(record)];
    }
    this.chains = chains;
    this.wildcardDepthsLow = wildcardDepths[0];
    this.wildcardDepthsHigh = wildcardDepths[1];
    this.regexes = regexes;
  }

  /** A table without routes. */
  public static RouteTable empty() {
    return new RouteTableBuilder().build();
  }

  /** How many routes there are. */
  public int size() {
    return routes.length;
  }

  /** How many names and wildcards there are, each counted once. */
  public int nameCount() {
    return keys.count();
  }

  /** How many regular expressions there are. */
  public int regexCount() {
    return regexes.size();
  }

  /**
   * A route by its place in the file.
   *
   * @param index from 0 to {@code size() - 1}
   */
  public Route route(int index) {
    return routes[index];
  }

  /**
   * How often a regular expression was given up after 20,000 characters read and so counted as not
   * matching, since the table was built.
   */
  public long abandonedRegexes() {
    return regexes.abandoned();
  }

  /**
   * Finds the route of a connection. Allocates nothing, but for a thread's first look-up that
   * reaches a regular expression.
   *
   * @param host the name that was peeked; an empty one, one over {@link HostName#MAX_BYTES} and one
   *     with an empty label match no route
   * @param alpn what the client offers; empty when it offers nothing or does not speak TLS
   * @param peerHigh the first 64 bits of the client's address; an IPv4 one in its mapped form
   * @param peerLow the last 64 bits
   * @return the route, or null when none matches and the fallback has its turn
   */
  public @Nullable Route find(HostName host, AlpnList alpn, long peerHigh, long peerLow) {
    if (!isComparable(host)) {
      return null;
    }
    // The exact name first: hashing the name once more costs less than the cache misses of looking
    // for wildcards that a longer name beats.
    Route exact = first(hash.of(host), host, 0, false, alpn, peerHigh, peerLow);
    if (exact != null) {
      return exact;
    }
    Route wildcard = longestWildcard(host, alpn, peerHigh, peerLow);
    return wildcard != null || regexes.size() == 0
        ? wildcard
        : regexes.find(host, alpn, peerHigh, peerLow);
  }

  /** Whether there is a name, and no label of it is empty. */
  private static boolean isComparable(HostName host) {
    byte previous = '.';
    for (int i = 0; i < host.length(); i++) {
      byte b = host.at(i);
      if (b == '.' && previous == '.') {
        return false;
      }
      previous = b;
    }
    return previous != '.';
  }

  private @Nullable Route longestWildcard(
      HostName host, AlpnList alpn, long peerHigh, long peerLow) {
    if ((wildcardDepthsLow | wildcardDepthsHigh) == 0) {
      return null;
    }
    long value = HostHash.start();
    Route longest =
        wildcardAt(0) ? first(value, host, host.length(), true, alpn, peerHigh, peerLow) : null;
    long block = 0;
    int depth = 0;
    for (int i = host.length() - 1; i > 0; i--) {
      byte b = host.at(i);
      if (b == '.') {
        value = hash.add(value, block);
        block = 0;
        depth++;
        if (wildcardAt(depth)) {
          // From the shortest suffix to the longest, so that the last one found is the longest.
          Route longer = first(value, host, i + 1, true, alpn, peerHigh, peerLow);
          longest = longer != null ? longer : longest;
        }
      } else if (HostHash.isFull(block)) {
        value = hash.add(value, block);
        block = 0;
      }
      block = block << 8 | (b & 0xff);
    }
    return longest;
  }

  private boolean wildcardAt(int depth) {
    return ((depth < Long.SIZE ? wildcardDepthsLow : wildcardDepthsHigh) >>> depth & 1) != 0;
  }

  private @Nullable Route first(
      long value,
      HostName host,
      int from,
      boolean wildcard,
      AlpnList alpn,
      long peerHigh,
      long peerLow) {
    int slot = keys.find(HostHash.finish(value, wildcard), host, from, wildcard);
    if (slot < 0) {
      return null;
    }
    Route only = onlyRoutes[slot];
    if (only != null) {
      return only.conditions().hold(alpn, peerHigh, peerLow) ? only : null;
    }
    for (int at = keys.value(keys.recordAt(slot)); at >= 0; at = chains[at + 1]) {
      Route route = routes[chains[at]];
      if (route.conditions().hold(alpn, peerHigh, peerLow)) {
        return route;
      }
    }
    return null;
  }

  /** The routes of one pattern, in file order, whatever their conditions. */
  List<Route> routesOf(HostPattern pattern) {
    int record = keys.find(pattern);
    if (record == 0) {
      return List.of();
    }
    if (!keys.isChained(record)) {
      return List.of(routes[keys.value(record)]);
    }
    List<Route> found = new ArrayList<>();
    for (int at = keys.value(record); at >= 0; at = chains[at + 1]) {
      found.add(routes[chains[at]]);
    }
    return found;
  }

  RegexRoutes regexes() {
    return regexes;
  }
}
