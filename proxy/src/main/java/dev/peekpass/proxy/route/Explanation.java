package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Why a connection gets its route: every route whose name fits and every regular expression, in
 * order of precedence. Says the same as {@link RouteTable#find}, by another way.
 *
 * @param considered the routes, the strongest first
 * @param winner the first of them that matches; empty when the fallback has its turn
 */
public record Explanation(List<Considered> considered, Optional<Route> winner) {

  /** What became of a route. */
  public enum Outcome {
    /** Matches, and nothing before it does. */
    WINS,
    /** Would match, but something before it does. */
    SHADOWED,
    /** Its name fits, its conditions do not hold. */
    CONDITION_FAILS,
    /** Its regular expression does not match. */
    NAME_FAILS
  }

  /**
   * One route that was considered.
   *
   * @param route the route
   * @param pattern which of its patterns was looked at
   * @param outcome what became of it
   * @param why one phrase for people
   */
  public record Considered(Route route, HostPattern pattern, Outcome outcome, String why) {}

  /** Copies the list. */
  public Explanation {
    considered = List.copyOf(considered);
  }

  /**
   * Explains a look-up.
   *
   * @param table the routes
   * @param host as {@link RouteTable#find}
   * @param alpn as {@link RouteTable#find}
   * @param peer the client's address
   */
  public static Explanation of(RouteTable table, HostName host, AlpnList alpn, IpAddress peer) {
    List<Considered> considered = new ArrayList<>();
    String name = host.toString();
    if (!host.isRoutable() || ("." + name + ".").contains("..")) {
      return new Explanation(considered, Optional.empty());
    }
    Trial trial = new Trial(alpn, peer, considered);
    trial.named(table, new HostPattern(HostPattern.Kind.EXACT, name), "the name is equal");
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      HostPattern wildcard = new HostPattern(HostPattern.Kind.WILDCARD, "*" + name.substring(dot));
      trial.named(table, wildcard, "the name ends in " + name.substring(dot));
    }
    trial.named(table, new HostPattern(HostPattern.Kind.ANY, "*"), "there is a name");
    RegexRoutes regexes = table.regexes();
    for (int i = 0; i < regexes.size(); i++) {
      RegexRoutes.Entry entry = regexes.entry(i);
      switch (regexes.match(i, host)) {
        case YES ->
            trial.fitting(table.route(entry.route()), entry.pattern(), "the expression matches");
        case NO ->
            trial.failing(
                table.route(entry.route()),
                entry.pattern(),
                "the expression does not match the whole name");
        case ABANDONED ->
            trial.failing(
                table.route(entry.route()),
                entry.pattern(),
                "the expression needs over " + HostChars.MAX_STEPS + " steps: given up");
      }
    }
    return new Explanation(considered, trial.winner);
  }

  /** One connection against one route after the other. */
  private static final class Trial {
    private final AlpnList alpn;
    private final IpAddress peer;
    private final List<Considered> considered;
    private Optional<Route> winner = Optional.empty();

    Trial(AlpnList alpn, IpAddress peer, List<Considered> considered) {
      this.alpn = alpn;
      this.peer = peer;
      this.considered = considered;
    }

    void named(RouteTable table, HostPattern pattern, String why) {
      for (Route route : table.routesOf(pattern)) {
        fitting(route, pattern, why);
      }
    }

    void failing(Route route, HostPattern pattern, String why) {
      considered.add(new Considered(route, pattern, Outcome.NAME_FAILS, why));
    }

    void fitting(Route route, HostPattern pattern, String why) {
      StringBuilder reasons = new StringBuilder(why);
      boolean holds = true;
      if (!route.alpn().isEmpty()) {
        boolean offered = route.conditions().alpnHolds(alpn);
        reasons
            .append(offered ? ", the client offers one of " : ", but the client offers none of ")
            .append(route.alpn());
        holds = offered;
      }
      if (!route.from().isEmpty()) {
        boolean inside = route.conditions().fromHolds(peer.high(), peer.low());
        reasons
            .append(inside ? ", " : holds ? ", but " : " and ")
            .append(peer)
            .append(inside ? " is in " : " is not in ")
            .append(route.from().size() <= 4 ? route.from() : route.from().size() + " blocks");
        holds &= inside;
      }
      Outcome outcome =
          !holds ? Outcome.CONDITION_FAILS : winner.isPresent() ? Outcome.SHADOWED : Outcome.WINS;
      if (outcome == Outcome.WINS) {
        winner = Optional.of(route);
      }
      considered.add(new Considered(route, pattern, outcome, reasons.toString()));
    }
  }
}
