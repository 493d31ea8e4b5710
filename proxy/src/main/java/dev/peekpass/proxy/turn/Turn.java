package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.Stall;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a loop's turn has to offer to everything that happens in it: the kernel, epoll, the time,
 * what is counted and logged, and when to wake. Belongs to the loop's thread.
 *
 * <p>Times are nanoseconds since the loop was made, by the kernel's monotonic clock. Nothing here
 * blocks but {@link #await}.
 */
public final class Turn {
  /** A wait that returns sooner than this found its events already there. */
  private static final long SATURATED_WAIT_NANOS = 20_000;

  private static final long NANOS_A_MILLI = 1_000_000;

  /** Bounds a wait, so that a clock that jumps costs a minute at most. */
  private static final long MAX_WAIT_MILLIS = 60_000;

  /** Faults of the same loop are logged so often at most; all are counted. */
  private static final long FAULT_LOG_NANOS = 1_000_000_000L;

  /** The same for turns that take too long. */
  private static final long STALL_LOG_NANOS = 10_000_000_000L;

  /** When what another thread is to close is offered to it again. */
  private static final long RETRY_NANOS = 1_000_000;

  private static final int FEW = 16;

  /** How many events of listeners, backends and the like a turn takes at most. */
  private static final int EVENTS_A_TURN = 256;

  /** How many of clients: some 20 µs each. */
  private static final int CLIENT_EVENTS_A_TURN = 64;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final Poller poller;
  private final Poller clients;
  private final SpareDescriptor spare;
  private final Headroom headroom;
  private final Counters counters = new Counters();
  private final long originNanos;
  private long nowNanos;
  private boolean began;
  private int euid = -1;
  private long logStallsAtNanos = Long.MIN_VALUE;
  private long wakeByNanos = Long.MAX_VALUE;
  private boolean saturated;
  private long logFaultsAtNanos = Long.MIN_VALUE;
  private long faultsNotLogged;
  private final DescriptorCloser.Factory closers;
  private final Pulse pulse = new Pulse();
  private @Nullable CloseQueue[] collecting = new @Nullable CloseQueue[FEW];
  private int collectingCount;

  /**
   * Opens two epolls and a spare descriptor; {@link #close} closes them.
   *
   * @param kernel used by the loop's thread only, once that runs
   * @param closers makes those who close what the loop's thread must not wait for
   * @throws SystemCallException with nothing left open
   */
  public Turn(Kernel kernel, DescriptorCloser.Factory closers) throws SystemCallException {
    this.kernel = kernel;
    this.closers = closers;
    originNanos = kernel.nanoTime();
    poller = new Poller(kernel, EVENTS_A_TURN);
    try {
      clients = newClients();
    } catch (SystemCallException | RuntimeException | Error e) {
      poller.close();
      throw e;
    }
    try {
      headroom = new Headroom(kernel);
      spare = new SpareDescriptor(kernel);
    } catch (RuntimeException | Error e) {
      closePollers();
      throw e;
    }
  }

  private Poller newClients() throws SystemCallException {
    Poller made = new Poller(kernel, CLIENT_EVENTS_A_TURN);
    try {
      poller.add(made, events -> dispatchAll(made));
    } catch (SystemCallException | RuntimeException | Error e) {
      made.close();
      throw e;
    }
    return made;
  }

  /** The way to the kernel, of the loop's thread alone. */
  public Kernel kernel() {
    return kernel;
  }

  /** Which descriptor belongs to whom. */
  public Poller poller() {
    return poller;
  }

  /**
   * Which connection of a client belongs to whom. epoll reports first what has had news for the
   * longest: so that nobody waits behind thousands of clients that hang up in one moment, they have
   * a poller of their own, and only some of them get a turn at a time.
   */
  public Poller clients() {
    return clients;
  }

  /** The descriptor that is kept for a channel that needs one when none is left. */
  public SpareDescriptor spare() {
    return spare;
  }

  /** The descriptors that clients leave to others. */
  public Headroom headroom() {
    return headroom;
  }

  /** Makes one who closes what the loop's thread must not wait for. */
  public DescriptorCloser newCloser() {
    return closers.of(this);
  }

  /** The user that the process works as, geteuid(2). */
  public int euid() {
    if (euid < 0) {
      euid = kernel.geteuid();
    }
    return euid;
  }

  /** How the loop's thread shows that it does not stand still. */
  public Pulse pulse() {
    return pulse;
  }

  /** A queue has something for another thread, which is woken at the end of the turn. */
  void handOverLater(CloseQueue queue) {
    if (collectingCount == collecting.length) {
      collecting = Arrays.copyOf(collecting, 2 * collectingCount);
    }
    collecting[collectingCount++] = queue;
  }

  /** Gives what was collected to the threads that close. */
  private void handOver() {
    int kept = 0;
    for (int i = 0; i < collectingCount; i++) {
      CloseQueue queue = collecting[i];
      collecting[i] = null;
      if (queue != null && !queue.handOver()) {
        collecting[kept++] = queue;
      }
    }
    collectingCount = kept;
    if (kept > 0) {
      wakeBy(clockNanos() + RETRY_NANOS);
    }
  }

  /** What is counted. */
  public Counters counters() {
    return counters;
  }

  /** Counts one. */
  public void count(Counter counter) {
    counters.count(counter);
  }

  /** Where events go that an operator wants to know of. It never blocks. */
  public Logger log() {
    return LOG;
  }

  /** The time of this turn: when its events were fetched. */
  public long nowNanos() {
    return nowNanos;
  }

  /** The time at this moment. */
  public long clockNanos() {
    return kernel.nanoTime() - originNanos;
  }

  /** Whether the last wait found its events already there: more work comes than one at a time. */
  public boolean isSaturated() {
    return saturated;
  }

  /** Makes the loop run its timers not later than at a time. */
  public void wakeBy(long deadlineNanos) {
    wakeByNanos = Math.min(wakeByNanos, deadlineNanos);
  }

  /** Whether a time that {@link #wakeBy} was given has come; then it is forgotten. */
  public boolean takeDue() {
    if (wakeByNanos > nowNanos) {
      return false;
    }
    wakeByNanos = Long.MAX_VALUE;
    return true;
  }

  /**
   * Begins the next turn: waits for events, until the next deadline at most.
   *
   * @return how many came, for {@link #dispatch}
   */
  public int await() {
    if (collectingCount > 0) {
      handOver();
    }
    long before = clockNanos();
    if (before - nowNanos > StallWatch.STALL_NANOS && began) {
      stoodStill(before - nowNanos);
    }
    pulse.rest();
    int events = poller.await(waitMillis(before));
    pulse.beat();
    began = true;
    nowNanos = clockNanos();
    saturated = nowNanos - before < SATURATED_WAIT_NANOS;
    return events;
  }

  /** A turn has taken so long that others have noticed. */
  private void stoodStill(long nanos) {
    counters.count(Counter.STOOD_STILL);
    Stall seen = pulse.last();
    String call = seen == null || seen.over() ? "no single call" : seen.call();
    long millis = nanos / NANOS_A_MILLI;
    String thread = Thread.currentThread().getName();
    pulse.stall(new Stall(thread, call, millis, true));
    if (nowNanos >= logStallsAtNanos) {
      logStallsAtNanos = nowNanos + STALL_LOG_NANOS;
      LOG.warn("{} needed {} ms for one turn: {}", thread, millis, call);
    }
  }

  private int waitMillis(long now) {
    if (wakeByNanos == Long.MAX_VALUE) {
      return -1;
    }
    long millis = (wakeByNanos - now + NANOS_A_MILLI - 1) / NANOS_A_MILLI;
    return (int) Math.clamp(millis, 0, MAX_WAIT_MILLIS);
  }

  /**
   * Delivers one of the events of this turn. A RuntimeException ends there: whoever threw it gives
   * up what the event was about, and the loop goes on. An Error ends the loop.
   */
  public void dispatch(int index) {
    Pollable ready = poller.ready(index);
    if (ready == null) {
      return;
    }
    pulse.beat();
    try {
      ready.onEvents(poller.events(index));
    } catch (RuntimeException e) {
      failed(ready, e);
    }
  }

  /** Delivers some of what a poller has that another watches. Each on its own, as above. */
  private void dispatchAll(Poller of) {
    int count = of.await(0);
    for (int i = 0; i < count; i++) {
      Pollable ready = of.ready(i);
      if (ready != null) {
        pulse.beat();
        try {
          ready.onEvents(of.events(i));
        } catch (RuntimeException e) {
          failed(ready, e);
        }
      }
    }
  }

  private void failed(Pollable ready, RuntimeException e) {
    fault("an event could not be handled", e);
    contain(ready::onFault);
  }

  /** Does something that is part of the way out of a fault, and may be hit by another. */
  public void contain(Runnable wayOut) {
    try {
      wayOut.run();
    } catch (RuntimeException e) {
      fault("the way out of a fault met another", e);
    }
  }

  /** Counts a fault of Peekpass's own and logs it, with its stack trace. */
  public void fault(String what, RuntimeException e) {
    counters.count(Counter.FAULTS);
    if (nowNanos < logFaultsAtNanos) {
      faultsNotLogged++;
      return;
    }
    LOG.error(
        "{}: this is a fault in Peekpass{}",
        what,
        faultsNotLogged == 0 ? "" : " (" + faultsNotLogged + " like it were not logged)",
        e);
    faultsNotLogged = 0;
    logFaultsAtNanos = nowNanos + FAULT_LOG_NANOS;
  }

  private void closePollers() {
    try {
      // First what watches the other.
      poller.close();
    } finally {
      clients.close();
    }
  }

  /** Closes the epolls and the spare descriptor; what was watched stays open. */
  public void close() {
    handOver();
    try {
      spare.close();
    } finally {
      closePollers();
    }
  }
}
