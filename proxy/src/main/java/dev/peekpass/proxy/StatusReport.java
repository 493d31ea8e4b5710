package dev.peekpass.proxy;

import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.status.ProxyStatus;
import dev.peekpass.proxy.status.Stall;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What several loops say of themselves, put together. */
final class StatusReport {
  private StatusReport() {}

  /** What one loop says. */
  record Part(List<ListenerStatus> listeners, List<BackendStatus> backends, int clients) {}

  /**
   * Puts it together.
   *
   * @param parts of the loops that have answered
   */
  static ProxyStatus of(List<Loop> loops, Standing standing, List<Part> parts) {
    Map<String, ListenerStatus> listeners = new LinkedHashMap<>();
    Map<String, BackendStatus> backends = new LinkedHashMap<>();
    for (Part part : parts) {
      part.listeners.forEach(one -> listeners.merge(one.address(), one, ListenerStatus::plus));
      part.backends.forEach(one -> backends.merge(one.name(), one, BackendStatus::plus));
    }
    List<ListenerStatus> ordered =
        listeners.values().stream()
            .sorted(
                Comparator.comparing((ListenerStatus one) -> one.closing())
                    .thenComparingInt(one -> standing.addresses().indexOf(one.address())))
            .toList();
    return new ProxyStatus(
        loops.size(),
        parts.stream().mapToInt(Part::clients).sum(),
        standing.reloads(),
        ordered,
        List.copyOf(backends.values()),
        outcomes(loops),
        counts(loops),
        stalls(loops));
  }

  /** When loops stood still, those too that do so now and answer nothing; for any thread. */
  static List<Stall> stalls(List<Loop> loops) {
    List<Stall> stalls = new ArrayList<>();
    for (Loop loop : loops) {
      Stall last = loop.turn().pulse().last();
      if (last != null) {
        stalls.add(last);
      }
    }
    return stalls;
  }

  /** How many connections ended so, since the start; for any thread. */
  static Map<Outcome, Long> outcomes(List<Loop> loops) {
    Map<Outcome, Long> sums = new EnumMap<>(Outcome.class);
    for (Outcome outcome : Outcome.values()) {
      sums.put(outcome, loops.stream().mapToLong(loop -> loop.counters().get(outcome)).sum());
    }
    return sums;
  }

  /** The other counts, since the start; for any thread. */
  static Map<Counter, Long> counts(List<Loop> loops) {
    Map<Counter, Long> sums = new EnumMap<>(Counter.class);
    for (Counter counter : Counter.values()) {
      sums.put(counter, loops.stream().mapToLong(loop -> loop.counters().get(counter)).sum());
    }
    return sums;
  }
}
