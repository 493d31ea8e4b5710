package dev.peekpass.proxy;

import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a proxy goes by since its last operation; for any thread.
 *
 * @param atStart the first configuration, whose threads, admin socket and privileges stay
 * @param addresses what is bound, with real ports, in the order of the configuration
 * @param unwanted which inherited sockets, by their place, the first configuration had no use for
 * @param drained the names of the backends that get no new connections
 * @param reloads how often it has gone over to another configuration
 */
record Standing(
    Configuration atStart,
    Configuration configuration,
    List<String> addresses,
    Set<Integer> unwanted,
    Set<String> drained,
    long reloads) {

  /** Copies the collections. */
  Standing {
    addresses = List.copyOf(addresses);
    unwanted = Set.copyOf(unwanted);
    drained = Set.copyOf(drained);
  }

  /** Those of some names that a configuration has for backends. */
  static Set<String> named(Set<String> names, Configuration configuration) {
    Set<String> known = new TreeSet<>();
    for (BackendConfig backend : configuration.backends()) {
      if (names.contains(backend.name())) {
        known.add(backend.name());
      }
    }
    return known;
  }

  /** What another configuration says that cannot change while the proxy runs, a sentence each. */
  List<String> fixed(Configuration next, int loops) {
    List<String> fixed = new ArrayList<>();
    if (next.threads() != atStart.threads()) {
      fixed.add(
          "threads: %d goes on as %d until a restart or takeover (peekpass run --takeover)"
              .formatted(next.threads(), loops));
    }
    if (!next.adminPath().equals(atStart.adminPath())) {
      fixed.add(
          "admin: the socket stays where it is until a restart or takeover"
              + " (peekpass run --takeover)");
    }
    if (!next.privileges().equals(atStart.privileges())) {
      fixed.add(
          "user, group, confinement: they stay as they are until a restart or takeover"
              + " (peekpass run --takeover)");
    }
    return fixed;
  }

  Standing with(Set<String> nowDrained) {
    return new Standing(atStart, configuration, addresses, unwanted, nowDrained, reloads);
  }

  /** After a reload. */
  Standing after(Change change) {
    return new Standing(
        atStart, change.configuration, change.plan.labels(), unwanted, change.drained, reloads + 1);
  }
}
