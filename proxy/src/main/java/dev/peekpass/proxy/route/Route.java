package dev.peekpass.proxy.route;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One line of the route table: which hosts, under which conditions, go to which backend. Immutable;
 * made by {@link RouteTable.Builder}.
 *
 * <p>There may be a million, so the patterns stay in the table's bytes and are spelled out only
 * when asked for.
 */
public final class Route {
  private final HostKeys keys;
  private final int firstKey;
  private final int @Nullable [] furtherKeys;
  private final Conditions conditions;
  private final String backendName;
  private final int backendIndex;
  private final int line;

  Route(
      HostKeys keys,
      int[] ownKeys,
      Conditions conditions,
      String backendName,
      int backendIndex,
      int line) {
    this.keys = keys;
    this.firstKey = ownKeys[0];
    this.furtherKeys = ownKeys.length == 1 ? null : ownKeys;
    this.conditions = conditions;
    this.backendName = backendName;
    this.backendIndex = backendIndex;
    this.line = line;
  }

  Conditions conditions() {
    return conditions;
  }

  /** The patterns, any of which the host must match, as written. Makes them anew at each call. */
  public List<HostPattern> patterns() {
    if (furtherKeys == null) {
      return List.of(keys.pattern(firstKey));
    }
    List<HostPattern> patterns = new ArrayList<>(furtherKeys.length);
    for (int key : furtherKeys) {
      patterns.add(keys.pattern(key));
    }
    return List.copyOf(patterns);
  }

  /** The ALPN names, one of which the client must offer; empty when the route does not ask. */
  public List<String> alpn() {
    return conditions.alpn();
  }

  /** The blocks, one of which the client must come from; empty when the route does not ask. */
  public List<Cidr> from() {
    return conditions.from();
  }

  /** The backend's name. */
  public String backendName() {
    return backendName;
  }

  /** The backend's place in the configuration, from 0. */
  public int backendIndex() {
    return backendIndex;
  }

  /** The line in the file at which the route begins, from 1. */
  public int line() {
    return line;
  }

  /** One line for people. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("line ").append(line).append(": ");
    List<HostPattern> all = patterns();
    text.append(all.size() == 1 ? all.getFirst() : all.getFirst() + ", ...");
    if (!alpn().isEmpty()) {
      text.append(" alpn ").append(alpn());
    }
    if (!from().isEmpty()) {
      text.append(" from ").append(from().size() <= 4 ? from() : from().size() + " blocks");
    }
    return text.append(" -> ").append(backendName).toString();
  }
}
