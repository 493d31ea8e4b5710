package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The routes with a regular expression, tried one after the other. The key of an expression is -1
 * for the first, -2 for the second, and so on.
 */
final class RegexRoutes {

  /**
   * One expression of one route.
   *
   * @param route the route's index
   * @param found what stands for the route in the table
   */
  record Entry(
      HostPattern pattern, Pattern compiled, int route, Destination destination, int found) {}

  /** What became of a match. */
  enum Match {
    YES,
    NO,
    /** It read too much, or nested too deep: counts as no. */
    ABANDONED
  }

  /** A thread's matchers: these are not immutable, unlike all else in a table. */
  private static final class Scratch {
    final HostChars chars = new HostChars();
    final Matcher[] matchers;

    Scratch(Entry[] entries) {
      matchers = new Matcher[entries.length];
      for (int i = 0; i < entries.length; i++) {
        matchers[i] = entries[i].compiled().matcher("");
      }
    }
  }

  private final Entry[] entries;
  private final LongAdder abandoned = new LongAdder();

  // Of the instance, for it belongs to one table's expressions and goes with them at a reload.
  @SuppressWarnings("ThreadLocalUsage")
  private final ThreadLocal<Scratch> scratch;

  RegexRoutes(List<Entry> entries) {
    this.entries = entries.toArray(Entry[]::new);
    this.scratch = ThreadLocal.withInitial(() -> new Scratch(this.entries));
  }

  int size() {
    return entries.length;
  }

  Entry entry(int index) {
    return entries[index];
  }

  long abandoned() {
    return abandoned.sum();
  }

  /** The expression of a key. */
  HostPattern pattern(int key) {
    return entries[~key].pattern();
  }

  /** As {@link RouteTable#find}. */
  int find(HostName host, AlpnList alpn, long peerHigh, long peerLow) {
    for (int i = 0; i < entries.length; i++) {
      Conditions conditions = entries[i].destination().conditions();
      // The conditions first: they cost less.
      if (conditions.hold(alpn, peerHigh, peerLow) && match(i, host) == Match.YES) {
        return entries[i].found();
      }
    }
    return RouteTable.NONE;
  }

  Match match(int index, HostName host) {
    Scratch own = scratch.get();
    Matcher matcher = own.matchers[index];
    own.chars.set(host);
    try {
      return matcher.reset(own.chars).matches() ? Match.YES : Match.NO;
    } catch (HostChars.TooManySteps | StackOverflowError e) {
      abandoned.increment();
      return Match.ABANDONED;
    }
  }
}
