package dev.peekpass.proxy.route;

import java.util.List;

/**
 * One line of the route table: which hosts, under which conditions, go to which backend. Immutable;
 * spelled out by {@link RouteTable#route} when somebody wants to read it.
 */
public final class Route {
  private final int index;
  private final List<HostPattern> patterns;
  private final Destination destination;
  private final int line;

  Route(int index, List<HostPattern> patterns, Destination destination, int line) {
    this.index = index;
    this.patterns = List.copyOf(patterns);
    this.destination = destination;
    this.line = line;
  }

  /** Its place in the file, from 0. */
  public int index() {
    return index;
  }

  Conditions conditions() {
    return destination.conditions();
  }

  /** The patterns, any of which the host must match, as written. */
  public List<HostPattern> patterns() {
    return patterns;
  }

  /** The ALPN names, one of which the client must offer; empty when the route does not ask. */
  public List<String> alpn() {
    return conditions().alpn();
  }

  /** The blocks, one of which the client must come from; empty when the route does not ask. */
  public List<Cidr> from() {
    return conditions().from();
  }

  /** The backend's name. */
  public String backendName() {
    return destination.backendName();
  }

  /** The backend's place in the configuration, from 0. */
  public int backendIndex() {
    return destination.backendIndex();
  }

  /** The line in the file at which the route begins, from 1. */
  public int line() {
    return line;
  }

  /** One line for people. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("line ").append(line).append(": ");
    text.append(patterns.size() == 1 ? patterns.getFirst() : patterns.getFirst() + ", ...");
    if (!alpn().isEmpty()) {
      text.append(" alpn ").append(alpn());
    }
    if (!from().isEmpty()) {
      text.append(" from ").append(from().size() <= 4 ? from() : from().size() + " blocks");
    }
    return text.append(" -> ").append(backendName()).toString();
  }
}
