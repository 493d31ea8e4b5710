package dev.peekpass.simulation;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;

/**
 * What goes wrong with calls: now and then, more in storms, and what a test has ordered. All rates
 * are times in ten thousand.
 */
public final class Faults {
  private final Chance chance;
  private final int rate;
  private final int stormRate;
  private final Map<Call, ArrayDeque<Integer>> ordered = new EnumMap<>(Call.class);
  private boolean storm;

  /** No faults but those that are ordered. */
  public Faults(Chance chance) {
    this(chance, 0, 0);
  }

  /** Faults at a rate, and at another one in storms. */
  public Faults(Chance chance, int rate, int stormRate) {
    this.chance = chance;
    this.rate = rate;
    this.stormRate = stormRate;
  }

  /** Plans a storm. */
  public void planStorm(World world, long startNanos, long forNanos) {
    world.after(startNanos, "faults", "a storm comes", () -> storm = true);
    world.after(startNanos + forNanos, "faults", "the storm is over", () -> storm = false);
  }

  /**
   * Orders the result of the next call, or after those ordered before.
   *
   * @param errno positive, or 0 to let one pass
   */
  public void order(Call call, int errno) {
    ordered.computeIfAbsent(call, c -> new ArrayDeque<>()).add(errno);
  }

  /** The error that hits a call, or 0. */
  int next(Call call) {
    ArrayDeque<Integer> orders = ordered.get(call);
    if (orders != null && !orders.isEmpty()) {
      return orders.remove();
    }
    int[] errors = call.errors();
    if (errors.length == 0 || !chance.hits(storm ? stormRate : rate)) {
      return 0;
    }
    return errors[chance.below(errors.length)];
  }
}
