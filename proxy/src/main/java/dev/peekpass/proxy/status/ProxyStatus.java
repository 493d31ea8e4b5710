package dev.peekpass.proxy.status;

import java.util.List;
import java.util.Map;

/**
 * A proxy at one moment, or rather each of its loops at a moment of its own.
 *
 * @param threads how many loops
 * @param clients how many clients the loops keep track of, each once for a listener and once over
 *     all
 * @param reloads how many configurations it has had since the first
 * @param listeners in the order of the configuration, then those that are closing
 * @param backends in the order of the configuration
 * @param outcomes how many connections ended so, since the start
 * @param counters the other counts, since the start
 * @param stalls the last time that each loop stood still, of those that ever did
 */
public record ProxyStatus(
    int threads,
    int clients,
    long reloads,
    List<ListenerStatus> listeners,
    List<BackendStatus> backends,
    Map<Outcome, Long> outcomes,
    Map<Counter, Long> counters,
    List<Stall> stalls) {

  /** Copies the collections. */
  public ProxyStatus {
    listeners = List.copyOf(listeners);
    backends = List.copyOf(backends);
    outcomes = Map.copyOf(outcomes);
    counters = Map.copyOf(counters);
    stalls = List.copyOf(stalls);
  }
}
