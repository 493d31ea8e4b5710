package dev.peekpass.proxy.status;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * One loop's counts. Written by its thread alone, without locked instructions, but for {@link
 * #countBeside}; read by any thread, which may see a value a moment old.
 */
@SuppressWarnings("EnumOrdinal") // an index within one process, and the fastest there is
public final class Counters {
  private static final int OUTCOMES = Outcome.values().length;

  private final AtomicLongArray values = new AtomicLongArray(OUTCOMES + Counter.values().length);

  /** Begins with nothing counted. */
  public Counters() {}

  public void count(Outcome outcome) {
    increment(outcome.ordinal());
  }

  public void count(Counter counter) {
    increment(OUTCOMES + counter.ordinal());
  }

  /**
   * Counts what threads beside the loop's see. A counter that is counted so is never {@linkplain
   * #count(Counter) counted by the loop}: one of the two would be lost.
   */
  public void countBeside(Counter counter, long number) {
    values.getAndAdd(OUTCOMES + counter.ordinal(), number);
  }

  public long get(Outcome outcome) {
    return values.getOpaque(outcome.ordinal());
  }

  public long get(Counter counter) {
    return values.getOpaque(OUTCOMES + counter.ordinal());
  }

  private void increment(int index) {
    values.setOpaque(index, values.getPlain(index) + 1);
  }
}
