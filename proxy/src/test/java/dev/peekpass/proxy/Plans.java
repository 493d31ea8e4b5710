package dev.peekpass.proxy;

import dev.peekpass.simulation.Chance;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Makes up configurations. There are so many and no more, since to read one takes as long as most
 * lives under it: those that were read are kept.
 */
final class Plans {
  static final String[] BACKENDS = {"a", "b", "c"};
  static final int MOST_SOCKETS = 4;
  private static final int NUMBER = 1 << 14;

  private static final String CROWD_YAML =
      """
      fallback: { reject: http-status }
      listeners: [ { bind: "127.0.0.1:1", backlog: 4096, defer-accept: false } ]
      backends:
        a: { handoff: "unix:/a1", method: acknowledged, max-queue: 4096, ack-timeout: TIME }
        b: { handoff: "unix:/b1" }
        c: { handoff: "unix:/c1" }
      routes: [ { host: a.example, backend: a }, { host: b.example, backend: b } ]
      """;

  private static final Map<String, Written> WRITTEN = new ConcurrentHashMap<>();

  private final Chance chance;
  private final boolean healthy;

  private Plans(Chance chance, boolean healthy) {
    this.chance = chance;
    this.healthy = healthy;
  }

  /** A configuration, and what a file with it looks like. */
  record Written(OperationPlan.Plan plan, String yaml) {}

  /**
   * One of them.
   *
   * @param healthy whether every wait in it is one that a receiver which is there can keep
   */
  static Written any(Chance chance, boolean healthy) {
    int number = chance.below(NUMBER);
    return WRITTEN.computeIfAbsent(
        number + (healthy ? " healthy" : ""),
        key -> read(new Plans(new Chance(number), healthy).yaml()));
  }

  /** One for more clients than ever come otherwise. */
  static Written forCrowd(Chance chance) {
    String yaml = CROWD_YAML.replace("TIME", chance.of("10ms", "500ms", "3s"));
    return WRITTEN.computeIfAbsent(yaml, Plans::read);
  }

  private static Written read(String yaml) {
    boolean swapped = yaml.contains("a.example, backend: b");
    return new Written(new OperationPlan.Plan(Tests.configuration(yaml), swapped), yaml);
  }

  private String yaml() {
    StringBuilder yaml = new StringBuilder();
    if (chance.hits(2000)) {
      limits().forEach(limit -> yaml.append(limit).append('\n'));
    }
    boolean fallsBack = chance.hits(5000);
    String fallback =
        fallsBack
            ? chance.of("c", "a", "b")
            : "{ reject: " + chance.of("tls-alert", "http-status", "close") + " }";
    yaml.append("fallback: ").append(fallback).append("\nlisteners:\n");
    listener(yaml, 1);
    if (chance.hits(3000)) {
      listener(yaml, 2);
    }
    if (fallsBack && chance.hits(3000)) {
      yaml.append("  - { bind: \"127.0.0.1:3\", peek: none }\n");
    }
    yaml.append("backends:\n");
    Map<String, String> backups = backups();
    for (String name : BACKENDS) {
      backend(yaml, name, backups.get(name));
    }
    boolean swapped = chance.hits(3000);
    yaml.append("routes:\n  - { host: a.example, backend: ").append(swapped ? "b" : "a");
    yaml.append(" }\n  - { host: b.example, backend: ").append(swapped ? "a" : "b");
    return yaml.append(" }\n").toString();
  }

  /** Which backend has which backup: none, one, a chain, or one for two. */
  private Map<String, String> backups() {
    Map<String, String> backups = new HashMap<>();
    if (chance.hits(4000)) {
      List<String> order = new ArrayList<>(List.of(BACKENDS));
      order.add(chance.below(3), order.removeLast());
      order.add(chance.below(2), order.remove(1));
      for (int i = 0; i < order.size() - 1; i++) {
        if (chance.hits(7000)) {
          backups.put(order.get(i), order.get(chance.between(i + 1, order.size() - 1)));
        }
      }
    }
    return backups;
  }

  private void backend(StringBuilder yaml, String name, @Nullable String backup) {
    int sockets = chance.hits(4000) ? chance.between(2, MOST_SOCKETS) : 1;
    yaml.append("  ").append(name).append(": { handoff: [");
    for (int i = 1; i <= sockets; i++) {
      yaml.append(i > 1 ? ", " : "").append("\"unix:/").append(name).append(i).append('"');
    }
    String method = chance.of("auto", "auto", "acknowledged", "once", "persistent", "datagram");
    yaml.append("], method: ").append(method);
    if (!method.equals("once") && chance.hits(4000)) {
      yaml.append(", batch: ").append(chance.ofInts(2, 3, 253));
    }
    if (sockets > 1) {
      String balance = chance.of("round-robin", "least-connections", "source-hash");
      yaml.append(", balance: ").append(balance);
      yaml.append(", slow-start: ").append(chance.of("0s", "0s", "2s"));
    }
    if (backup != null) {
      yaml.append(", backup: ").append(backup);
    }
    if (!healthy && !method.equals("acknowledged") && chance.hits(2000)) {
      yaml.append(", probe: { http: { host: a.example } }");
    }
    yaml.append(", hand-off-timeout: ")
        .append(chance.of(healthy ? "50ms" : "1ms", "50ms", "1s", "5s"));
    yaml.append(", ack-timeout: ").append(chance.of("10ms", "100ms", "500ms", "3s"));
    yaml.append(", max-queue: ").append(healthy ? 1024 : chance.ofInts(0, 1, 4, 1024));
    yaml.append(" }\n");
  }

  private void listener(StringBuilder yaml, int port) {
    yaml.append("  - { bind: \"127.0.0.1:").append(port).append('"');
    yaml.append(", peek-timeout: ").append(chance.of("100ms", "1s", "5s"));
    yaml.append(", max-peek: ").append(chance.of("1KiB", "8KiB", "64KiB"));
    yaml.append(", max-pending: ").append(chance.ofInts(1, 2, 5, 16384));
    yaml.append(", backlog: ").append(chance.ofInts(1, 4, 128, 1024));
    yaml.append(", defer-accept: ").append(chance.hits(5000));
    if (chance.hits(3000)) {
      limits().forEach(limit -> yaml.append(", ").append(limit));
    }
    if (chance.hits(1000)) {
      yaml.append(", deny: ").append(chance.of("192.0.2.0", "[192.0.2.1, \"2001:db8::/32\"]"));
    }
    if (chance.hits(1000)) {
      yaml.append(", allow: ")
          .append(chance.of("[192.0.2.0/31, \"2001:db8:0:1::/64\"]", "192.0.2.0/24", "\"::/0\""));
    }
    yaml.append(" }\n");
  }

  /** What one client may do, as keys. */
  private List<String> limits() {
    List<String> limits = new ArrayList<>();
    if (chance.hits(5000)) {
      limits.add("max-pending-per-client: " + chance.ofInts(1, 2, 5));
    }
    if (chance.hits(5000)) {
      limits.add("max-new-per-client: " + chance.of("1/s", "3/s", "10/m", "20/s"));
    }
    if (chance.hits(5000)) {
      limits.add("client-prefix: " + chance.of("{ ipv4: 24 }", "{ ipv4: 31, ipv6: 128 }"));
    }
    return limits;
  }
}
