package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.route.Quotation;
import dev.peekpass.proxy.route.RouteTable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads {@code listeners}. */
final class ListenerReader {
  private static final int MAX_ADDRESSES = 1000;
  static final Section.Keys KEYS =
      new Section.Keys(
          "a listener",
          List.of(
              "bind",
              "peek",
              "peek-timeout",
              "max-peek",
              "on-mismatch",
              "defer-accept",
              "backlog",
              "max-pending",
              "max-pending-per-client",
              "max-new-per-client",
              "client-prefix",
              "allow",
              "deny",
              "ipv6-only",
              "routes",
              "fallback"),
          List.of("accept-proxy-protocol"));
  private static final List<String> PEEK_ONLY =
      List.of(
          "peek-timeout",
          "max-peek",
          "on-mismatch",
          "max-pending",
          "max-pending-per-client",
          "routes");

  private final Report report;
  private final BackendNames backends;
  private final ClientPrefix commonPrefix;
  private final RouteTable commonRoutes;
  private final Optional<Fallback> commonFallback;
  private final Map<BindAddress, Bound> bound = new HashMap<>();

  /** An address that is taken. */
  private record Bound(BindAddress address, int line, boolean takesIpv4) {}

  /**
   * Takes what listeners without a client-prefix, routes or fallback of their own get.
   *
   * @param commonFallback empty when it is mistaken
   */
  ListenerReader(
      Report report,
      BackendNames backends,
      ClientPrefix commonPrefix,
      RouteTable commonRoutes,
      Optional<Fallback> commonFallback) {
    this.report = report;
    this.backends = backends;
    this.commonPrefix = commonPrefix;
    this.commonRoutes = commonRoutes;
    this.commonFallback = commonFallback;
  }

  List<ListenerConfig> read(YamlNode.Sequence list) {
    if (list.items().isEmpty()) {
      report.mistake(list, "there is no listener", "write - bind: \"[::]:443\"");
    }
    List<ListenerConfig> listeners = new ArrayList<>();
    for (YamlNode node : list.items()) {
      Section.of(node, KEYS, report).ifPresent(section -> listeners.add(listener(section)));
    }
    return listeners;
  }

  private ListenerConfig listener(Section section) {
    boolean ipv6Only = section.flag("ipv6-only", false);
    List<BindAddress> bind = bind(section, ipv6Only);
    PeekMode peek = section.scalar("peek").flatMap(this::peek).orElse(PeekMode.AUTO);
    Duration peekTimeout =
        section
            .scalar("peek-timeout")
            .flatMap(at ->
                report.good(
                    at,
                    Quantity.duration(at.text(), Duration.ofMillis(100), Duration.ofMinutes(5))))
            .orElse(Duration.ofSeconds(5));
    int maxPeekBytes =
        section
            .scalar("max-peek")
            .flatMap(at -> report.good(at, Quantity.size(at.text(), 1024, 1024 * 1024)))
            .orElse(64 * 1024);
    OnMismatch onMismatch =
        section.scalar("on-mismatch").flatMap(this::onMismatch).orElse(OnMismatch.REFUSE);
    boolean deferAccept = section.flag("defer-accept", peek == PeekMode.AUTO);
    int backlog = section.count("backlog", 4096, 1, 65_535);
    int maxPending = section.count("max-pending", 16_384, 1, 1 << 20);
    AdmissionReader admission = new AdmissionReader(report);
    ClientLimits perClient = admission.limits(section, commonPrefix);
    AccessList access = admission.access(section);
    warnOfNoUse(section, perClient, maxPending);
    RouteTable routes =
        section.has("routes")
            ? section
                .list("routes")
                .map(list -> new RouteReader(report, backends).read(list))
                .orElseGet(RouteTable::empty)
            : commonRoutes;
    Optional<Fallback> fallback =
        section
            .value("fallback")
            .map(node -> new FallbackReader(report, backends).read(node))
            .orElse(commonFallback);
    if (peek == PeekMode.NONE) {
      checkWithoutPeek(section, deferAccept, fallback);
    }
    return new ListenerConfig(
        bind,
        peek,
        peekTimeout,
        maxPeekBytes,
        onMismatch,
        deferAccept,
        backlog,
        maxPending,
        access,
        perClient,
        ipv6Only,
        routes,
        fallback.orElse(FallbackReader.STANDARD),
        section.node().line());
  }

  private void warnOfNoUse(Section section, ClientLimits perClient, int maxPending) {
    if (perClient.maxPending().orElse(0) >= maxPending) {
      section
          .key("max-pending-per-client")
          .ifPresent(key ->
              report.warning(
                  key.line(),
                  key.column(),
                  "one client may hold all that max-pending allows, which is " + maxPending,
                  "write less than that"));
    }
  }

  private Optional<PeekMode> peek(YamlNode.Scalar word) {
    return switch (word.text()) {
      case "auto" -> Optional.of(PeekMode.AUTO);
      case "none" -> Optional.of(PeekMode.NONE);
      default -> {
        report.mistake(
            word,
            Quotation.of(word.text()) + " is not a way to peek",
            Section.suggestion(word.text(), List.of("auto", "none")));
        yield Optional.empty();
      }
    };
  }

  private Optional<OnMismatch> onMismatch(YamlNode.Scalar word) {
    return switch (word.text()) {
      case "refuse" -> Optional.of(OnMismatch.REFUSE);
      case "target" -> Optional.of(OnMismatch.TARGET);
      default -> {
        report.mistake(
            word,
            Quotation.of(word.text()) + " is not a way to treat a target and a Host that differ",
            Section.suggestion(word.text(), List.of("refuse", "target")));
        yield Optional.empty();
      }
    };
  }

  private void checkWithoutPeek(Section section, boolean deferAccept, Optional<Fallback> fallback) {
    for (String name : PEEK_ONLY) {
      section
          .key(name)
          .ifPresent(key ->
              report.mistake(
                  key,
                  "\"" + name + "\" has no use with peek: none",
                  "leave it out, no byte is looked at"));
    }
    if (deferAccept) {
      section
          .key("defer-accept")
          .ifPresent(key ->
              report.mistake(
                  key,
                  "defer-accept waits for the client's first bytes, but with peek: none the"
                      + " server speaks first",
                  "leave it out"));
    }
    if (fallback.isPresent() && !(fallback.get() instanceof Fallback.ToBackend)) {
      report.mistake(
          section.node(),
          "a listener with peek: none passes all to its fallback, which is no backend",
          "write fallback: BACKEND here");
    }
  }

  private List<BindAddress> bind(Section section, boolean ipv6Only) {
    if (!section.has("bind")) {
      report.mistake(section.node(), "the listener has no bind", "write bind: \"[::]:443\"");
    }
    List<BindAddress> addresses = new ArrayList<>();
    for (YamlNode.Scalar at : section.scalars("bind")) {
      Optional<BindAddress> address = report.good(at, BindAddress.parse(at.text()));
      if (address.isPresent()) {
        checkFree(at, address.get(), ipv6Only);
        addresses.add(address.get());
      }
    }
    return addresses;
  }

  private void checkFree(YamlNode.Scalar at, BindAddress address, boolean ipv6Only) {
    if (ipv6Only && address.address().isIpv4()) {
      report.mistake(
          at,
          Quotation.of(at.text()) + " is IPv4 in a listener that is ipv6-only",
          "give it a listener of its own");
    }
    if (address.port() == 0) {
      return;
    }
    boolean takesIpv4 = address.address().isIpv6Any() && !ipv6Only;
    Bound other = bound.get(address);
    if (other != null) {
      report.mistake(
          at,
          Quotation.of(at.text()) + " is bound at line " + other.line() + " already",
          "write each address once");
      return;
    }
    otherAny(address)
        .map(bound::get)
        .filter(any -> takesIpv4 || any.takesIpv4())
        .ifPresent(any ->
            report.mistake(
                at,
                Quotation.of(at.text())
                    + " collides with "
                    + any.address()
                    + " at line "
                    + any.line()
                    + ", as [::] takes IPv4 too",
                "write only [::], or ipv6-only: true beside it"));
    bound.put(address, new Bound(address, at.line(), takesIpv4));
    if (bound.size() == MAX_ADDRESSES + 1) {
      report.mistake(at, "there are too many addresses", "write at most " + MAX_ADDRESSES);
    }
  }

  /** The wildcard of the other family on the same port, for a wildcard. */
  private static Optional<BindAddress> otherAny(BindAddress address) {
    if (address.address().isIpv6Any()) {
      return Optional.of(new BindAddress(IpAddress.ofIpv4(0), address.port()));
    }
    return address.address().isIpv4Any()
        ? Optional.of(new BindAddress(new IpAddress(0, 0), address.port()))
        : Optional.empty();
  }
}
