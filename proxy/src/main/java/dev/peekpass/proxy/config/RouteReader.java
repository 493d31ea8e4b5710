package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.Cidr;
import dev.peekpass.proxy.route.HostPattern;
import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.Reading;
import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.proxy.route.RouteTableBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads one list of {@code routes}. */
final class RouteReader {
  private static final Section.Keys KEYS =
      new Section.Keys(
          "a route", List.of("host", "host-regex", "alpn", "from", "backend"), List.of());
  private static final int MAX_ALPN_BYTES = 255;

  private final Report report;
  private final BackendNames backends;
  private final RouteTableBuilder table = new RouteTableBuilder();
  private Optional<YamlNode> unconditionalStar = Optional.empty();

  /** A pattern and where it stands. */
  private record Placed(YamlNode at, HostPattern pattern) {}

  RouteReader(Report report, BackendNames backends) {
    this.report = report;
    this.backends = backends;
  }

  RouteTable read(YamlNode.Sequence list) {
    for (YamlNode node : list.items()) {
      Section.of(node, KEYS, report).ifPresent(this::route);
    }
    unconditionalStar
        .filter(star -> table.regexCount() > 0)
        .ifPresent(star ->
            report.warning(
                star.line(),
                star.column(),
                "host \"*\" takes every name before any host-regex is tried",
                "write fallback: BACKEND instead of it"));
    return table.build();
  }

  private void route(Section section) {
    List<Placed> patterns = new ArrayList<>(1);
    for (YamlNode.Scalar host : section.scalars("host")) {
      place(patterns, host, HostPattern.parseHost(host.text()));
    }
    for (YamlNode.Scalar regex : section.scalars("host-regex")) {
      place(patterns, regex, HostPattern.parseRegex(regex.text()));
    }
    if (!section.has("host") && !section.has("host-regex")) {
      report.mistake(
          section.node(),
          "the route has no host",
          "write host: NAME, or host: \"*\" for every connection that names one");
    }
    List<String> alpn = alpn(section);
    List<Cidr> from = from(section);
    Optional<YamlNode.Scalar> backend = section.scalar("backend");
    Optional<Integer> index = backend.flatMap(backends::use);
    if (!section.has("backend")) {
      report.mistake(section.node(), "the route has no backend", "write backend: NAME");
    }
    // What is mistaken itself must not be called unreachable or make others so.
    if (!patterns.isEmpty()) {
      String name = backend.map(YamlNode.Scalar::text).orElse("");
      List<HostPattern> reachable = reachable(patterns, alpn, from);
      if (!reachable.isEmpty()) {
        table.add(reachable, alpn, from, name, index.orElse(-1), section.node().line());
      }
    }
  }

  private void place(List<Placed> patterns, YamlNode at, Reading<HostPattern> reading) {
    report
        .good(at, reading)
        .ifPresent(pattern -> {
          if (patterns.stream().anyMatch(p -> p.pattern().equals(pattern))) {
            report.mistake(
                at, Quotation.of(pattern.text()) + " is in the route already", "write it once");
          } else {
            patterns.add(new Placed(at, pattern));
          }
        });
  }

  /** The patterns that no earlier route takes all of. Reports the others. */
  private List<HostPattern> reachable(List<Placed> patterns, List<String> alpn, List<Cidr> from) {
    List<HostPattern> reachable = new ArrayList<>(patterns.size());
    for (Placed placed : patterns) {
      HostPattern pattern = placed.pattern();
      OptionalInt shadow = table.shadowingLine(pattern, alpn, from);
      if (shadow.isPresent()) {
        report.mistake(
            placed.at(),
            Quotation.of(pattern.text())
                + " never comes here, the route at line "
                + shadow.getAsInt()
                + " takes it",
            "remove one of them, or give the earlier one other conditions");
      } else if (table.isFull(pattern)) {
        report.mistake(
            placed.at(),
            pattern.kind() == HostPattern.Kind.REGEX
                ? "there are too many regular expressions"
                : Quotation.of(pattern.text()) + " has too many routes",
            pattern.kind() == HostPattern.Kind.REGEX
                ? "write at most " + RouteTableBuilder.MAX_REGEXES
                : "write at most " + RouteTableBuilder.MAX_ROUTES_PER_NAME);
      } else {
        reachable.add(pattern);
      }
      if (pattern.kind() == HostPattern.Kind.ANY && alpn.isEmpty() && from.isEmpty()) {
        unconditionalStar = Optional.of(placed.at());
      }
    }
    return reachable;
  }

  private List<String> alpn(Section section) {
    List<String> names = new ArrayList<>();
    for (YamlNode.Scalar name : section.scalars("alpn")) {
      if (name.text().isEmpty()
          || name.text().length() > MAX_ALPN_BYTES
          || !name.text().chars().allMatch(c -> c > ' ' && c < 0x7f)) {
        report.mistake(
            name,
            Quotation.of(name.text()) + " is not an ALPN name",
            "write 1 to 255 visible ASCII characters, like h2 or http/1.1");
      } else {
        names.add(name.text());
      }
    }
    return names;
  }

  private List<Cidr> from(Section section) {
    List<Cidr> blocks = new ArrayList<>();
    for (YamlNode.Scalar block : section.scalars("from")) {
      report.good(block, Cidr.parse(block.text())).ifPresent(blocks::add);
    }
    return blocks;
  }
}
