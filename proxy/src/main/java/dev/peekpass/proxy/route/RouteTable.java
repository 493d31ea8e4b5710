package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * All routes of a listener. Immutable, used by any number of threads.
 *
 * <p>Precedence: exact name; longest wildcard; regular expression in file order. Several routes for
 * one name are tried in file order; when the conditions of none hold, the next weaker kind has its
 * turn. A look-up does not slow with the number of names, only with that of regular expressions.
 */
public final class RouteTable {
  /** What {@link #find} returns when no route matches. */
  public static final int NONE = HostIndex.NONE;

  /** From a block's last byte to its first one, in bits. */
  private static final int FIRST_BYTE = 8 * (HostHash.BLOCK_BYTES - 1);

  private final HostHash hash;
  private final HostIndex index;
  private final Routes routes;
  private final Destination[] destinations;
  // Bit d: some wildcard has d labels behind its star. Spares looking up the other suffixes.
  private final long wildcardDepthsLow;
  private final long wildcardDepthsHigh;
  private final RegexRoutes regexes;

  RouteTable(
      HostHash hash, HostIndex index, Routes routes, long[] wildcardDepths, RegexRoutes regexes) {
    this.hash = hash;
    this.index = index;
    this.routes = routes;
    this.destinations = routes.destinations();
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
    return routes.size();
  }

  /** How many names and wildcards there are, each counted once. */
  public int nameCount() {
    return index.count();
  }

  /** How many regular expressions there are. */
  public int regexCount() {
    return regexes.size();
  }

  /**
   * Spells out a route.
   *
   * @param index its place in the file, from 0 to {@code size() - 1}
   */
  public Route route(int index) {
    List<HostPattern> patterns = new ArrayList<>();
    for (int key : routes.keys(index)) {
      patterns.add(key < 0 ? regexes.pattern(key) : this.index.pattern(key));
    }
    return new Route(index, patterns, routes.destination(index), routes.line(index));
  }

  /**
   * The place in the configuration of the backend that a route leads to.
   *
   * @param found what {@link #find} returned, not {@link #NONE}
   */
  public int backendIndex(int found) {
    return destinations[index.destination(found)].backendIndex();
  }

  /**
   * The index of a route that was found, for {@link #route}.
   *
   * @param found what {@link #find} returned, not {@link #NONE}
   */
  public int indexOf(int found) {
    return index.route(found);
  }

  /**
   * The line in the file at which a route that was found begins, from 1.
   *
   * @param found what {@link #find} returned, not {@link #NONE}
   */
  public int line(int found) {
    return routes.line(index.route(found));
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
   * @param host the name that was peeked; one that is not {@linkplain HostName#isRoutable()
   *     routable} and one with an empty label match no route
   * @param alpn what the client offers; empty when it offers nothing or does not speak TLS
   * @param peerHigh the first 64 bits of the client's address; an IPv4 one in its mapped form
   * @param peerLow the last 64 bits
   * @return what stands for the route in {@link #backendIndex}, {@link #line} and {@link #indexOf}
   *     of this table; {@link #NONE} when none matches and the fallback has its turn
   */
  public int find(HostName host, AlpnList alpn, long peerHigh, long peerLow) {
    if (!host.isRoutable() || !isComparable(host)) {
      return NONE;
    }
    // The exact name first: hashing the name once more costs less than the cache misses of looking
    // for wildcards that a longer name beats.
    int exact = first(hash.of(host), host, 0, false, alpn, peerHigh, peerLow);
    if (exact != NONE) {
      return exact;
    }
    int wildcard = longestWildcard(host, alpn, peerHigh, peerLow);
    return wildcard != NONE || regexes.size() == 0
        ? wildcard
        : regexes.find(host, alpn, peerHigh, peerLow);
  }

  /** Whether there is a name, and no label of it is empty. */
  private static boolean isComparable(HostName host) {
    // The dots of the block behind, of which the highest counts: as if a dot stood at either end.
    long behind = 0x80L << FIRST_BYTE;
    for (int end = host.length(); end > 0; end -= HostHash.BLOCK_BYTES) {
      long dots = HostHash.dots(HostHash.block(host, end));
      if ((dots & (dots << 8 | behind >>> FIRST_BYTE)) != 0) {
        return false;
      }
      behind = dots;
    }
    return host.length() > 0 && host.at(0) != '.';
  }

  private int longestWildcard(HostName host, AlpnList alpn, long peerHigh, long peerLow) {
    if ((wildcardDepthsLow | wildcardDepthsHigh) == 0) {
      return NONE;
    }
    // From the shortest suffix to the longest, so that the last one found is the longest.
    int longest =
        wildcardAt(0)
            ? first(HostHash.start(), host, host.length(), true, alpn, peerHigh, peerLow)
            : NONE;
    long value = HostHash.start();
    int depth = 0;
    for (int end = host.length(); end > 0; end -= HostHash.BLOCK_BYTES) {
      long block = HostHash.block(host, end);
      for (long dots = HostHash.dots(block); dots != 0; dots &= dots - 1) {
        depth++;
        if (wildcardAt(depth)) {
          int bytes = Long.numberOfTrailingZeros(dots) >>> 3;
          long suffix = bytes == 0 ? value : hash.add(value, HostHash.end(block, bytes));
          int longer = first(suffix, host, end - bytes, true, alpn, peerHigh, peerLow);
          longest = longer != NONE ? longer : longest;
        }
      }
      value = hash.add(value, block);
    }
    return longest;
  }

  private boolean wildcardAt(int depth) {
    return ((depth < Long.SIZE ? wildcardDepthsLow : wildcardDepthsHigh) >>> depth & 1) != 0;
  }

  private int first(
      long value,
      HostName host,
      int from,
      boolean wildcard,
      AlpnList alpn,
      long peerHigh,
      long peerLow) {
    int record = index.find(HostHash.finish(value, wildcard), host, from, wildcard);
    if (record == NONE) {
      return NONE;
    }
    int place = index.firstRoute(record);
    for (int end = place + index.routesBytes(record);
        place < end;
        place = HostIndex.nextRoute(place)) {
      if (destinations[index.destination(place)].conditions().hold(alpn, peerHigh, peerLow)) {
        return place;
      }
    }
    return NONE;
  }

  /** The routes of one pattern, in file order, whatever their conditions. */
  List<Route> routesOf(HostPattern pattern) {
    HostName name = new HostName();
    byte[] bytes = pattern.name().getBytes(StandardCharsets.ISO_8859_1);
    name.set(ByteBuffer.wrap(bytes), 0, bytes.length);
    boolean wildcard = pattern.kind() != HostPattern.Kind.EXACT;
    int record = index.find(HostHash.finish(hash.of(name), wildcard), name, 0, wildcard);
    List<Route> found = new ArrayList<>();
    if (record != NONE) {
      int place = index.firstRoute(record);
      for (int end = place + index.routesBytes(record);
          place < end;
          place = HostIndex.nextRoute(place)) {
        found.add(route(index.route(place)));
      }
    }
    return found;
  }

  RegexRoutes regexes() {
    return regexes;
  }
}
