package dev.peekpass.proxy.confine;

import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfinementMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What a process has been confined to when it started. It cannot get more, whatever is reloaded.
 *
 * @param landlock the version of Landlock that is in force; 0 when none is
 * @param ports the TCP ports that it may bind; empty when it may bind any
 * @param connects whether it may connect by TCP
 * @param paths what it may read, and where it may make its admin socket, for {@code status}
 * @param lacks what the kernel or the start could not do, a sentence each
 */
public record Bounds(
    ConfinementMode mode,
    int landlock,
    Optional<SortedSet<Integer>> ports,
    boolean connects,
    List<String> paths,
    List<String> lacks) {

  /** Since this version Landlock knows TCP. */
  public static final int NETWORK_SINCE = 4;

  /** Since this version Landlock knows signals and abstract UNIX sockets. */
  public static final int SCOPES_SINCE = 6;

  /** None. */
  public static final Bounds NONE =
      new Bounds(ConfinementMode.OFF, 0, Optional.empty(), true, List.of(), List.of());

  /** Copies the collections. */
  public Bounds {
    paths = List.copyOf(paths);
    lacks = List.copyOf(lacks);
    ports = ports.map(TreeSet::new);
  }

  /** Which ports a configuration binds; 0 is one that the kernel chooses. */
  public static SortedSet<Integer> portsOf(Configuration configuration) {
    SortedSet<Integer> ports = new TreeSet<>();
    configuration
        .listeners()
        .forEach(listener -> listener.bind().forEach(bind -> ports.add(bind.port())));
    if (probes(configuration)) {
      // A probe hands off a connection of the proxy with itself.
      ports.add(0);
    }
    return ports;
  }

  /** Whether a configuration probes, for which the proxy connects with itself. */
  public static boolean probes(Configuration configuration) {
    return configuration.backends().stream().anyMatch(backend -> backend.probe().isPresent());
  }

  /** Why a configuration cannot be gone over to: it needs more than this. Empty when it can. */
  public Optional<String> refusal(Configuration next) {
    List<String> wanting = new ArrayList<>();
    SortedSet<Integer> allowed = ports.orElse(null);
    if (allowed != null) {
      SortedSet<Integer> more = portsOf(next);
      more.removeAll(allowed);
      boolean probing = more.remove(0) && !binds(next, 0);
      if (!probing && binds(next, 0) && !allowed.contains(0)) {
        more.add(0);
      }
      if (!more.isEmpty()) {
        wanting.add("port " + list(more) + ", and it may bind " + list(allowed) + " only");
      }
    }
    if (!connects && probes(next)) {
      wanting.add("TCP connections for probe, and it had none to make when it started");
    }
    return wanting.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "this proxy is confined to what its configuration needed when it started, and this one"
                + " needs "
                + String.join("; and ", wanting)
                + ": start another in its place (peekpass run -c FILE --takeover), or restart");
  }

  private static boolean binds(Configuration configuration, int port) {
    return configuration.listeners().stream()
        .anyMatch(listener -> listener.bind().stream().anyMatch(bind -> bind.port() == port));
  }

  private static String list(SortedSet<Integer> ports) {
    return ports.stream()
        .map(port -> port == 0 ? "0 (any free one)" : port.toString())
        .collect(Collectors.joining(", "));
  }
}
