package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random tables against the rules of precedence, spelled out with a map of lists: what a table
 * finds, and what it says of its routes afterwards.
 */
final class RandomTablesTest {
  private static final AlpnList OFFERED = AlpnList.of(List.of("h2", "http/1.1"));
  private static final IpAddress PEER = Names.ip("192.0.2.7");
  private static final List<String> REGEXES = List.of("a.*", ".*[.]b", "[ab.]+", ".{7}", "b{1,9}");

  /** A route as the rules see it. */
  private record Rule(List<String> patterns, boolean holds, String backend) {}

  private final Random random = new Random();

  /** Whatever they stand in is taken for different names by different readers. */
  private static final String UNROUTABLE = "\0%:/[]@\u0080\u00ff";

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3, 20, 300})
  void agreeWithTheRules(int routes) {
    long seed = random.nextLong();
    random.setSeed(seed);
    int found = 0;
    int lookUps = 0;
    for (int round = 0; round < 6000 / (routes + 10); round++) {
      List<Rule> rules = new ArrayList<>();
      Map<String, List<Integer>> byPattern = new HashMap<>();
      RouteTable table = table(routes, rules, byPattern);
      for (int i = 0; i < 200; i++) {
        String name = probe(rules);
        HostName host = Names.host(name);
        int place = table.find(host, OFFERED, PEER.high(), PEER.low());
        int route = place == RouteTable.NONE ? -1 : table.indexOf(place);
        assertThat(route)
            .as("seed %d: \"%s\" in %s", seed, name, rules)
            .isEqualTo(expected(rules, byPattern, name));
        lookUps++;
        if (place != RouteTable.NONE) {
          found++;
          assertThat(table.line(place)).isEqualTo(100 + route);
          assertThat("b" + table.backendIndex(place)).isEqualTo(rules.get(route).backend());
        }
      }
      for (int route = 0; route < rules.size(); route++) {
        assertThat(table.route(route).patterns())
            .extracting(HostPattern::toString)
            .isEqualTo(rules.get(route).patterns());
        assertThat(table.route(route).backendName()).isEqualTo(rules.get(route).backend());
      }
    }
    if (routes == 0) {
      assertThat(found).isZero();
    } else if (routes >= 3) {
      assertThat(found).isBetween(lookUps / 20, lookUps - lookUps / 20);
    }
  }

  private RouteTable table(int routes, List<Rule> rules, Map<String, List<Integer>> byPattern) {
    RouteTableBuilder builder = new RouteTableBuilder();
    for (int route = 0; route < routes; route++) {
      List<String> patterns = new ArrayList<>();
      for (int i = random.nextInt(8) == 0 ? 3 : 1; i > 0; i--) {
        patterns.add(pattern());
      }
      patterns = patterns.stream().distinct().toList();
      boolean holds = random.nextInt(4) > 0;
      int backend = random.nextInt(5);
      builder.add(
          patterns.stream().map(Names::pattern).toList(),
          random.nextBoolean() ? List.of() : List.of(holds ? "h2" : "h3"),
          holds ? List.of() : List.of(Names.cidr("10.0.0.0/8")),
          "b" + backend,
          backend,
          100 + route);
      rules.add(new Rule(patterns, holds, "b" + backend));
      for (String pattern : patterns) {
        byPattern.computeIfAbsent(pattern, none -> new ArrayList<>()).add(route);
      }
    }
    return builder.build();
  }

  private String pattern() {
    return switch (random.nextInt(20)) {
      case 0 -> "/" + REGEXES.get(random.nextInt(REGEXES.size())) + "/";
      case 1 -> random.nextInt(10) == 0 ? "*" : name();
      case 2, 3, 4, 5, 6, 7 -> "*." + name();
      default -> name();
    };
  }

  /** Of few letters, so that names meet; with labels around the seven bytes of a hash block. */
  private String name() {
    StringBuilder name = new StringBuilder();
    for (int labels = 1 + random.nextInt(4); labels > 0; labels--) {
      int length = random.nextInt(4) == 0 ? 5 + random.nextInt(4) : 1;
      for (int i = 0; i < length; i++) {
        name.append(random.nextInt(3 * length) == 0 ? 'b' : 'a');
      }
      name.append(labels == 1 ? "" : ".");
    }
    return name.toString();
  }

  private String probe(List<Rule> rules) {
    String name = name();
    if (!rules.isEmpty() && random.nextInt(3) > 0) {
      List<String> patterns = rules.get(random.nextInt(rules.size())).patterns();
      String pattern = patterns.get(random.nextInt(patterns.size()));
      name = pattern.startsWith("/") ? name : pattern.replace("*", name());
    }
    int at = random.nextInt(name.length());
    return switch (random.nextInt(12)) {
      case 0 -> name.toUpperCase(Locale.ROOT) + ".";
      case 1 -> name + "..";
      case 2 -> name.substring(0, at) + "." + name.substring(at);
      case 3 -> name.substring(at);
      case 4 -> "." + name;
      case 5 -> "a".repeat(random.nextInt(240)) + "." + name;
      case 6 ->
          name.substring(0, at)
              + UNROUTABLE.charAt(random.nextInt(UNROUTABLE.length()))
              + name.substring(at);
      default -> name;
    };
  }

  private static int expected(List<Rule> rules, Map<String, List<Integer>> byPattern, String sent) {
    String name = sent.toLowerCase(Locale.ROOT);
    name = name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
    if (name.chars().anyMatch(c -> UNROUTABLE.indexOf(c) >= 0)) {
      return -1;
    }
    if (name.isEmpty() || name.length() > HostName.MAX_BYTES || ("." + name + ".").contains("..")) {
      return -1;
    }
    List<String> order = new ArrayList<>(List.of(name));
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      order.add("*" + name.substring(dot));
    }
    order.add("*");
    for (String pattern : order) {
      for (int route : byPattern.getOrDefault(pattern, List.of())) {
        if (rules.get(route).holds()) {
          return route;
        }
      }
    }
    for (int route = 0; route < rules.size(); route++) {
      for (String pattern : rules.get(route).patterns()) {
        if (pattern.startsWith("/")
            && rules.get(route).holds()
            && Pattern.matches(pattern.substring(1, pattern.length() - 1), name)) {
          return route;
        }
      }
    }
    return -1;
  }
}
