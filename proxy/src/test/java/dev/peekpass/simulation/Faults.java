package dev.peekpass.simulation;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What goes wrong with calls: now and then, more in storms, and what a test has ordered. All rates
 * are times in ten thousand.
 *
 * <p>Beside what calls return there is what they throw: exceptions, which stand for faults in the
 * process under test, and one error, which ends it.
 */
public final class Faults {
  private final Chance chance;
  private final int rate;
  private final int stormRate;
  private final Map<Call, ArrayDeque<Integer>> ordered = new EnumMap<>(Call.class);
  private final Map<Call, ArrayDeque<Throwing>> orderedThrows = new EnumMap<>(Call.class);
  private boolean storm;
  private int throwRate;
  private int throwsLeft;
  private int errorAfter = -1;
  private int thrown;
  private boolean erred;
  private boolean removalThrew;

  /**
   * What a test has ordered to be thrown out of a call.
   *
   * @param nothing whether the call is let pass after all
   */
  private record Throwing(boolean nothing, boolean after, boolean error) {}

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

  /**
   * Lets calls throw exceptions.
   *
   * @param most how often at most
   */
  public void throwExceptions(int rateInTenThousand, int most) {
    throwRate = rateInTenThousand;
    throwsLeft = most;
  }

  /** Lets one call throw an error, after so many others. */
  public void throwError(int afterCalls) {
    errorAfter = afterCalls;
  }

  /** Orders that an exception comes out of a call, in the order of those ordered before. */
  public void orderThrow(Call call, boolean after) {
    order(call, new Throwing(false, after, false));
  }

  /** Orders that an error comes out of a call: {@link #orderThrow}. */
  public void orderError(Call call, boolean after) {
    order(call, new Throwing(false, after, true));
  }

  /** Orders that nothing comes out of a call: {@link #orderThrow}. */
  public void orderNoThrow(Call call) {
    order(call, new Throwing(true, true, false));
  }

  private void order(Call call, Throwing throwing) {
    orderedThrows.computeIfAbsent(call, c -> new ArrayDeque<>()).add(throwing);
  }

  /** How many exceptions and errors were thrown, those of poisoned bytes too. */
  public int thrown() {
    return thrown;
  }

  /** Whether the error was thrown: the process is ending. */
  public boolean hasErred() {
    return erred;
  }

  /** Whether anything is ever thrown. */
  private boolean throwsAnything() {
    return throwRate > 0 || errorAfter >= 0 || !orderedThrows.isEmpty();
  }

  /** What is thrown out of a call, or null. Asked once before its effect and once after it. */
  @Nullable Throwable nextThrown(Call call, boolean after) {
    if (erred || !throwsAnything()) {
      return null;
    }
    Throwing ordered = nextOrdered(call, after);
    boolean byCount = errorAfter >= 0 && call.mayThrow(after) && errorAfter-- == 0;
    if (byCount || (ordered != null && ordered.error())) {
      erred = true;
      thrown++;
      return new InjectedError(call, after);
    }
    // A removal that is tried again because it threw does not throw again: else the description
    // stays in epoll for good, and nothing could be done about it.
    boolean again = call == Call.EPOLL_DEL && removalThrew;
    removalThrew &= call != Call.EPOLL_DEL;
    if (ordered != null || (!again && call.mayThrow(after) && mayThrow())) {
      removalThrew |= call == Call.EPOLL_DEL || call == Call.EPOLL_ADD;
      thrown++;
      return new InjectedException(call, after);
    }
    return null;
  }

  /** What was ordered for a call, or null. */
  private @Nullable Throwing nextOrdered(Call call, boolean after) {
    ArrayDeque<Throwing> orders = orderedThrows.get(call);
    Throwing next = orders == null ? null : orders.peek();
    if (orders == null || next == null || next.after() != after) {
      return null;
    }
    orders.remove();
    return next.nothing() ? null : next;
  }

  private boolean mayThrow() {
    if (throwsLeft > 0 && chance.hits(throwRate)) {
      throwsLeft--;
      return true;
    }
    return false;
  }

  /** Whether whoever looks at the bytes that a call has received shall fail. */
  boolean poisons() {
    boolean poisons = !erred && throwRate > 0 && mayThrow();
    thrown += poisons ? 1 : 0;
    return poisons;
  }
}
