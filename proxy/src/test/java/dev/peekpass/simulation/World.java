package dev.peekpass.simulation;

import java.util.PriorityQueue;
import org.jspecify.annotations.Nullable;

/** The clock, and everything that is going to happen outside of the process under test. */
public final class World {
  /** When nothing more is planned. */
  public static final long NEVER = Long.MAX_VALUE;

  private record Planned(long nanos, long order, Object who, String what, Runnable action)
      implements Comparable<Planned> {
    @Override
    public int compareTo(Planned other) {
      int byTime = Long.compare(nanos, other.nanos);
      return byTime != 0 ? byTime : Long.compare(order, other.order);
    }
  }

  private final PriorityQueue<Planned> planned = new PriorityQueue<>();
  private final Chance chance;
  private final @Nullable StringBuilder trace;
  private long nowNanos = 1_000_000_000L;
  private long order;
  private long happened;
  private int processes;

  /**
   * Makes a world in which nothing is planned.
   *
   * @param traced whether what happens is written down, which costs more than the rest together
   */
  public World(long seed, boolean traced) {
    chance = new Chance(seed);
    trace = traced ? new StringBuilder() : null;
  }

  /** The dice of this world; all of it uses the same ones. */
  public Chance chance() {
    return chance;
  }

  /** The time, in nanoseconds. */
  public long nowNanos() {
    return nowNanos;
  }

  /** A number for a process that begins. */
  int nextPid() {
    return 100 + processes++;
  }

  /** How many planned things have happened: tells what came before what at one time. */
  public long happened() {
    return happened;
  }

  /** Plans something. */
  public void after(long delayNanos, Object who, String what, Runnable action) {
    planned.add(new Planned(nowNanos + delayNanos, order++, who, what, action));
  }

  /**
   * Lets the next thing happen if it is planned for a time, or before.
   *
   * @return whether there was one
   */
  boolean runNext(long untilNanos) {
    Planned next = planned.peek();
    if (next == null || next.nanos > untilNanos) {
      return false;
    }
    planned.remove();
    nowNanos = Math.max(nowNanos, next.nanos);
    happen(next);
    return true;
  }

  private void happen(Planned next) {
    happened++;
    if (trace != null) {
      note(next.who + ": " + next.what);
    }
    next.action.run();
  }

  /**
   * Lets the next thing happen now, if it is near: it meets the process in the middle of a call.
   */
  void runEarly(long withinNanos) {
    Planned next = planned.peek();
    if (next != null && next.nanos <= nowNanos + withinNanos) {
      planned.remove();
      happen(next);
    }
  }

  /** Lets time pass and everything happen that is planned meanwhile. */
  void pass(long nanos) {
    long until = nowNanos + nanos;
    while (runNext(until)) {
      // The next one.
    }
    nowNanos = until;
  }

  /** Moves the clock without anything happening; what falls due happens at the next look. */
  void advance(long nanos) {
    nowNanos += nanos;
  }

  /** Whether there is a trace, so that a line is worth putting together. */
  public boolean isTraced() {
    return trace != null;
  }

  /** Adds a line to the trace. */
  public void note(String line) {
    StringBuilder to = trace;
    if (to != null) {
      long micros = nowNanos / 1000;
      to.append("%9d.%03d ms ".formatted(micros / 1000, micros % 1000)).append(line).append('\n');
    }
  }

  /** What happened, a line each; empty without a trace. */
  public String trace() {
    return trace == null ? "" : trace.toString();
  }
}
