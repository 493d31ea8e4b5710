package dev.peekpass.proxy.config;

import dev.peekpass.proxy.route.RouteTable;
import java.util.List;
import java.util.Optional;

/**
 * A whole configuration, free of mistakes. Immutable.
 *
 * @param threads how many loops, 1 to 64
 * @param accessLog whether each connection is logged with a line
 * @param adminPath the path of the admin UNIX socket; empty when the file names none
 * @param perClient what one client may do over all listeners
 * @param privileges whom it runs as, and what it may do
 * @param listeners at least one
 * @param backends in file order; each one's index is its place here
 * @param routes of the listeners that have none of their own
 * @param fallback of the listeners that have none of their own
 */
public record Configuration(
    int threads,
    boolean accessLog,
    Optional<String> adminPath,
    ClientLimits perClient,
    Privileges privileges,
    List<ListenerConfig> listeners,
    List<BackendConfig> backends,
    RouteTable routes,
    Fallback fallback) {

  /** Copies the lists. */
  public Configuration {
    listeners = List.copyOf(listeners);
    backends = List.copyOf(backends);
  }
}
