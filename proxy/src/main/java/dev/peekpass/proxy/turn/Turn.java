package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
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

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final Poller poller;
  private final SpareDescriptor spare;
  private final DescriptorCloser aside = new ThreadedCloser();
  private final Counters counters = new Counters();
  private final long originNanos;
  private long nowNanos;
  private long wakeByNanos = Long.MAX_VALUE;
  private boolean saturated;
  private long logFaultsAtNanos = Long.MIN_VALUE;
  private long faultsNotLogged;

  /**
   * Opens an epoll and a spare descriptor; {@link #close} closes them.
   *
   * @param kernel used by the loop's thread only, once that runs
   * @throws SystemCallException with nothing left open
   */
  public Turn(Kernel kernel) throws SystemCallException {
    this.kernel = kernel;
    originNanos = kernel.nanoTime();
    poller = new Poller(kernel);
    try {
      spare = new SpareDescriptor(kernel);
    } catch (RuntimeException | Error e) {
      poller.close();
      throw e;
    }
  }

  /** The way to the kernel, of the loop's thread alone. */
  public Kernel kernel() {
    return kernel;
  }

  /** Which descriptor belongs to whom. */
  public Poller poller() {
    return poller;
  }

  /** The descriptor that is kept for a channel that needs one when none is left. */
  public SpareDescriptor spare() {
    return spare;
  }

  /** Closes what the loop's thread must not close, since that may wait. */
  public DescriptorCloser aside() {
    return aside;
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
    long before = clockNanos();
    int events = poller.await(waitMillis(before));
    nowNanos = clockNanos();
    saturated = nowNanos - before < SATURATED_WAIT_NANOS;
    return events;
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
    try {
      ready.onEvents(poller.events(index));
    } catch (RuntimeException e) {
      fault("an event could not be handled", e);
      contain(ready::onFault);
    }
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

  /** Closes the epoll and the spare descriptor; what was watched stays open. */
  public void close() {
    try {
      spare.close();
    } finally {
      poller.close();
    }
  }
}
