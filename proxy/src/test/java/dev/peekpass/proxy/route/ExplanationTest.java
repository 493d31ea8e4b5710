package dev.peekpass.proxy.route;

import static dev.peekpass.proxy.route.Explanation.Outcome.CONDITION_FAILS;
import static dev.peekpass.proxy.route.Explanation.Outcome.NAME_FAILS;
import static dev.peekpass.proxy.route.Explanation.Outcome.SHADOWED;
import static dev.peekpass.proxy.route.Explanation.Outcome.WINS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class ExplanationTest {
  private static final AlpnList H2 = AlpnList.of(List.of("h2"));

  private static void add(
      RouteTableBuilder builder, List<String> patterns, List<String> alpn, List<String> from) {
    builder.add(
        patterns.stream().map(Names::pattern).toList(),
        alpn,
        from.stream().map(Names::cidr).toList(),
        "b",
        0,
        builder.size() + 1);
  }

  @Test
  void listsRoutesInOrderOfPrecedence() {
    RouteTableBuilder builder = new RouteTableBuilder();
    add(builder, List.of("/x.*/"), List.of(), List.of());
    add(builder, List.of("/a.*/"), List.of(), List.of());
    add(builder, List.of("*"), List.of(), List.of("10.0.0.0/8"));
    add(builder, List.of("*.example"), List.of("h2"), List.of("192.0.2.0/24"));
    add(builder, List.of("a.example"), List.of("h3"), List.of("192.0.2.0/24"));
    add(builder, List.of("other.example"), List.of(), List.of());
    Explanation explanation =
        Explanation.of(builder.build(), Names.host("A.example"), H2, Names.ip("192.0.2.9"));
    assertThat(explanation.considered())
        .extracting(c -> c.route().line() + " " + c.outcome() + " " + c.why())
        .containsExactly(
            "5 "
                + CONDITION_FAILS
                + " the name is equal, but the client offers none of [h3],"
                + " 192.0.2.9 is in [192.0.2.0/24]",
            "4 "
                + WINS
                + " the name ends in .example, the client offers one of [h2], 192.0.2.9 is"
                + " in [192.0.2.0/24]",
            "3 " + CONDITION_FAILS + " there is a name, but 192.0.2.9 is not in [10.0.0.0/8]",
            "1 " + NAME_FAILS + " the expression does not match the whole name",
            "2 " + SHADOWED + " the expression matches");
    assertThat(explanation.winner()).map(Route::line).contains(4);
  }

  @Test
  void nothingIsConsideredWithoutAUsableName() {
    RouteTableBuilder builder = new RouteTableBuilder();
    add(builder, List.of("*"), List.of(), List.of());
    RouteTable table = builder.build();
    for (String name : List.of("", ".", "a..b", ".a", "a".repeat(256))) {
      Explanation explanation = Explanation.of(table, Names.host(name), H2, Names.ip("::1"));
      assertThat(explanation.considered()).isEmpty();
      assertThat(explanation.winner()).isEmpty();
    }
  }

  @Test
  void saysTheSameAsTheTable() {
    Random random = new Random(3);
    List<String> patterns =
        List.of("a.b.c", "*.b.c", "*.c", "*", "/a.*/", "b.c", "c", "/.*c/", "x.b.c", "*.a.b.c");
    List<String> names = List.of("a.b.c", "x.b.c", "b.c", "c", "a", "z", "q.a.b.c", "a..c", "");
    int routed = 0;
    for (int round = 0; round < 2000; round++) {
      RouteTableBuilder builder = new RouteTableBuilder();
      for (int i = random.nextInt(12); i > 0; i--) {
        add(builder, some(random, patterns), pick(random, "h2", "h3"), pick(random, "10.0.0.0/8"));
      }
      RouteTable table = builder.build();
      HostName host = Names.host(names.get(random.nextInt(names.size())));
      IpAddress peer = Names.ip(random.nextBoolean() ? "10.0.0.1" : "192.0.2.1");
      int found = table.find(host, H2, peer.high(), peer.low());
      routed += found == RouteTable.NONE ? 0 : 1;
      int winner = Explanation.of(table, host, H2, peer).winner().map(Route::index).orElse(-1);
      assertThat(winner).isEqualTo(found == RouteTable.NONE ? -1 : table.indexOf(found));
    }
    assertThat(routed).isBetween(300, 1900);
  }

  private static List<String> some(Random random, List<String> from) {
    List<String> some = new ArrayList<>();
    some.add(from.get(random.nextInt(from.size())));
    if (random.nextBoolean()) {
      some.add(from.get(random.nextInt(from.size())));
    }
    return some.stream().distinct().toList();
  }

  private static List<String> pick(Random random, String... from) {
    return random.nextInt(3) == 0 ? List.of(from[random.nextInt(from.length)]) : List.of();
  }
}
