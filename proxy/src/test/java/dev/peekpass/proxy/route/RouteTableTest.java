package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RouteTableTest {
  private static final IpAddress PEER = Names.ip("192.0.2.7");
  private final RouteTableBuilder builder = new RouteTableBuilder();

  private void route(String backend, String... patterns) {
    conditional(backend, List.of(), List.of(), patterns);
  }

  private void conditional(
      String backend, List<String> alpn, List<String> from, String... patterns) {
    builder.add(
        List.of(patterns).stream().map(Names::pattern).toList(),
        alpn,
        from.stream().map(Names::cidr).toList(),
        backend,
        0,
        builder.size() + 1);
  }

  private static String find(RouteTable table, String host) {
    return find(table, host, Names.NO_ALPN, PEER);
  }

  private static String find(RouteTable table, String host, AlpnList alpn, IpAddress peer) {
    int found = table.find(Names.host(host), alpn, peer.high(), peer.low());
    return found == RouteTable.NONE ? "-" : table.route(table.indexOf(found)).backendName();
  }

  @ParameterizedTest
  @CsvSource({
    "example.com, exact",
    "EXAMPLE.com., exact",
    "a.example.com, wild",
    "a.b.c.example.com, wild",
    "deep.example.com, wild",
    "a.deep.example.com, deeper",
    "a.b.deep.example.com, deeper",
    "special.deep.example.com, exact2",
    "api7.example.org, regex1",
    "api77.example.org, regex1",
    "apix.example.org, regex2",
    "API7.Example.Org, regex1",
    "xapi7.example.org, regex2",
    "example.org, -",
    "com, -",
    "xexample.com, -",
    ".example.com, -",
    "a..example.com, -",
    "example.com.., -",
    "'', -",
    "., -",
  })
  void followsThePrecedence(String host, String backend) {
    // In an order that does not help.
    route("regex1", "/api[0-9]+[.]example[.]org/");
    route("wild", "*.example.com");
    route("deeper", "*.deep.example.com");
    route("regex2", "/.*[.]example[.]org/");
    route("exact", "example.com");
    route("exact2", "special.deep.example.com");
    route("regex3", "/.*[.]com?[.]example[.]com/");
    assertThat(find(builder.build(), host)).isEqualTo(backend);
  }

  @Test
  void starMatchesAnyNameThatIsPresentAndIsTheWeakestWildcard() {
    route("any", "*");
    route("regex", "/.*/");
    route("wild", "*.example.com");
    RouteTable table = builder.build();
    assertThat(find(table, "localhost")).isEqualTo("any");
    assertThat(find(table, "192.0.2.1")).isEqualTo("any");
    assertThat(find(table, "a.example.com")).isEqualTo("wild");
    assertThat(find(table, "")).isEqualTo("-");
    assertThat(find(table, "a".repeat(256))).isEqualTo("-");
    assertThat(find(table, "a..b")).isEqualTo("-");
  }

  @Test
  void oneRouteMayHaveManyPatterns() {
    route("many", "a.example", "*.b.example", "/c[0-9]/");
    RouteTable table = builder.build();
    assertThat(find(table, "a.example")).isEqualTo("many");
    assertThat(find(table, "x.b.example")).isEqualTo("many");
    assertThat(find(table, "c5")).isEqualTo("many");
    assertThat(table.route(0).patterns())
        .extracting(HostPattern::toString)
        .containsExactly("a.example", "*.b.example", "/c[0-9]/");
    assertThat(table.size()).isEqualTo(1);
    assertThat(table.nameCount()).isEqualTo(2);
    assertThat(table.regexCount()).isEqualTo(1);
  }

  @Test
  void routesOfOneNameAreTriedInFileOrder() {
    conditional("office", List.of(), List.of("192.0.2.0/24"), "a.example");
    conditional("h2", List.of("h2", "h3"), List.of(), "a.example");
    conditional("both", List.of("http/1.1"), List.of("2001:db8::/32"), "a.example");
    route("wild", "*.example");
    RouteTable table = builder.build();
    IpAddress outside = Names.ip("203.0.113.1");
    AlpnList http1 = AlpnList.of(List.of("http/1.1"));
    assertThat(find(table, "a.example")).isEqualTo("office");
    assertThat(find(table, "a.example", AlpnList.of(List.of("x", "h3")), outside)).isEqualTo("h2");
    assertThat(find(table, "a.example", AlpnList.of(List.of("h2")), PEER)).isEqualTo("office");
    assertThat(find(table, "a.example", http1, Names.ip("2001:db8::1"))).isEqualTo("both");
  }

  @Test
  void weakerKindsHaveTheirTurnWhenNoConditionHolds() {
    conditional("exact", List.of("h2"), List.of(), "a.b.example");
    conditional("long", List.of("h2"), List.of(), "*.b.example");
    conditional("short", List.of(), List.of("10.0.0.0/8"), "*.example");
    conditional("any", List.of(), List.of("10.0.0.0/7"), "*");
    conditional("regex1", List.of(), List.of("192.0.2.8"), "/a.*/");
    route("regex2", "/a.*/");
    RouteTable table = builder.build();
    assertThat(find(table, "a.b.example", AlpnList.of(List.of("h2")), PEER)).isEqualTo("exact");
    assertThat(find(table, "x.b.example", AlpnList.of(List.of("h2")), PEER)).isEqualTo("long");
    assertThat(find(table, "a.b.example", Names.NO_ALPN, Names.ip("10.1.1.1"))).isEqualTo("short");
    assertThat(find(table, "a.b.example", Names.NO_ALPN, Names.ip("11.1.1.1"))).isEqualTo("any");
    assertThat(find(table, "a.b.example")).isEqualTo("regex2");
    assertThat(find(table, "a.b.example", Names.NO_ALPN, Names.ip("192.0.2.8")))
        .isEqualTo("regex1");
    assertThat(find(table, "b.example")).isEqualTo("-");
  }

  @Test
  void aRouteWithAlpnNeverMatchesAClientThatOffersNone() {
    conditional("h2", List.of("h2"), List.of(), "*", "a.example", "/.*/");
    assertThat(find(builder.build(), "a.example")).isEqualTo("-");
  }

  @Test
  void emptyTableMatchesNothing() {
    assertThat(find(RouteTable.empty(), "a.example")).isEqualTo("-");
  }

  @Test
  void givesUpExpressionsThatTakeTooLong() {
    route("slow", "/.*a.*a.*a.*a.*a.*b/");
    route("next", "/a+c/");
    RouteTable table = builder.build();
    assertThat(find(table, "a".repeat(60) + "c")).isEqualTo("next");
    assertThat(table.abandonedRegexes()).isEqualTo(1);
    assertThat(find(table, "aaaaab")).isEqualTo("slow");
    assertThat(table.abandonedRegexes()).isEqualTo(1);
  }

  @Test
  void survivesExpressionsThatOverflowTheStack() throws InterruptedException {
    route("deep", "/((a|b{2})*|c)*d/");
    route("next", "/a+/");
    RouteTable table = builder.build();
    StringBuilder found = new StringBuilder();
    // The smallest stack that the JVM gives; the expression recurses for each character.
    Thread thread =
        new Thread(null, () -> found.append(find(table, "a".repeat(255))), "small stack", 1);
    thread.start();
    thread.join();
    assertThat(found).hasToString("next");
    assertThat(table.abandonedRegexes()).isEqualTo(1);
  }

  @Test
  void labelsUpToTheLongestNameAreCounted() {
    String suffix = "a.".repeat(125) + "a";
    route("deepest", "*." + suffix);
    RouteTable table = builder.build();
    assertThat(find(table, "b." + suffix)).isEqualTo("deepest");
    assertThat(find(table, suffix)).isEqualTo("-");
  }

  /** A naive table that a person can check: one map, and every suffix of the name in turn. */
  private static @Nullable Integer naive(Map<String, Integer> routes, String name) {
    Integer exact = routes.get(name);
    for (int dot = name.indexOf('.'); exact == null && dot >= 0; dot = name.indexOf('.', dot + 1)) {
      exact = routes.get("*" + name.substring(dot));
    }
    return exact;
  }

  @Test
  void agreesWithTheNaiveTableOnAMillionNames() {
    Random random = new Random(42);
    Map<String, Integer> expected = HashMap.newHashMap(1_000_000);
    List<String> names = new ArrayList<>(1_000_000);
    while (expected.size() < 1_000_000) {
      String text = (random.nextInt(10) == 0 ? "*." : "") + name(random);
      if (!expected.containsKey(text)) {
        expected.put(
            text,
            builder.add(
                List.of(Names.pattern(text)), List.of(), List.of(), "b", 0, builder.size() + 1));
        names.add(text);
      }
    }
    RouteTable table = builder.build();
    assertThat(table.nameCount()).isEqualTo(1_000_000);
    HostName host = new HostName();
    int found = 0;
    for (int i = 0; i < 400_000; i++) {
      String probe =
          switch (i % 4) {
            case 0 -> names.get(random.nextInt(names.size())).replace("*", "w");
            case 1 -> "x." + names.get(random.nextInt(names.size())).replace("*.", "");
            case 2 -> names.get(random.nextInt(names.size())).replace("*.", "");
            default -> name(random);
          };
      byte[] bytes = probe.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
      host.set(java.nio.ByteBuffer.wrap(bytes), 0, bytes.length);
      int place = table.find(host, Names.NO_ALPN, PEER.high(), PEER.low());
      Integer route = place == RouteTable.NONE ? null : table.indexOf(place);
      if (!Objects.equals(route, naive(expected, probe))) {
        assertThat(route).as(probe).isEqualTo(naive(expected, probe));
      }
      found += route == null ? 0 : 1;
    }
    assertThat(found).isBetween(200_000, 399_999);
    for (int i = 0; i < 1000; i++) {
      assertThat(table.route(i).patterns()).containsExactly(Names.pattern(names.get(i)));
    }
  }

  private static String name(Random random) {
    StringBuilder name = new StringBuilder();
    for (int labels = 1 + random.nextInt(4); labels > 0; labels--) {
      // Lengths around the seven bytes of a hash block.
      for (int bytes = 1 + random.nextInt(9); bytes > 0; bytes--) {
        name.append((char) ('a' + random.nextInt(26)));
      }
      name.append('.');
    }
    return name.append(random.nextBoolean() ? "com" : "example").toString();
  }

  @Test
  void findAllocatesNothing() {
    route("wild", "*.example.com");
    conditional("h2", List.of("h2"), List.of("10.0.0.0/8", "2001:db8::/32"), "a.example.com");
    conditional("h3", List.of("h3"), List.of("10.0.0.0/8"), "a.example.com");
    route("regex", "/api[0-9]+[.]example[.]org/");
    RouteTable table = builder.build();
    HostName[] hosts = {
      Names.host("a.example.com"),
      Names.host("x.y.example.com"),
      Names.host("api7.example.org"),
      Names.host("nothing.example.net"),
      Names.host("")
    };
    AlpnList alpn = AlpnList.of(List.of("h2", "http/1.1"));
    IpAddress peer = Names.ip("10.1.2.3");
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    lookUp(table, hosts, alpn, peer);
    long least = Long.MAX_VALUE;
    // The least of a few rounds: the JVM itself may allocate something once, look-ups would always.
    for (int round = 0; round < 5; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      long between = threads.getCurrentThreadAllocatedBytes();
      long misses = lookUp(table, hosts, alpn, peer);
      long after = threads.getCurrentThreadAllocatedBytes();
      assertThat(misses).isEqualTo(2 * 10_000);
      least = Math.min(least, after - between - (between - before));
    }
    assertThat(least).isZero();
  }

  private static long lookUp(RouteTable table, HostName[] hosts, AlpnList alpn, IpAddress peer) {
    long misses = 0;
    for (int i = 0; i < 10_000; i++) {
      for (HostName host : hosts) {
        if (table.find(host, alpn, peer.high(), peer.low()) == RouteTable.NONE) {
          misses++;
        }
      }
    }
    return misses;
  }
}
