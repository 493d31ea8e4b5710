package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread, one epoll, and everything that happens in it.
 *
 * <pre>{@code
 *        ┌────────── wait (epoll_wait until the next deadline) <─────────┐
 *        v                                                               │
 * events: Listener   accept, peek, route ──> Backend / Refuser           │
 *         Connection peek again                                          │
 *         Channel    room again, receiver gone ──> Backend.pump          │
 *         wake-up    stop                                                │
 *        │                                                               │
 *        ├──> messages that are not full yet: Backend.endTurn            │
 *        └──> timers that are due: Listener, Backend, Refuser ───────────┘
 * }</pre>
 *
 * Nothing here blocks but the wait. Times are nanoseconds since the loop was made, by the kernel's
 * monotonic clock.
 */
final class Loop implements Runnable {
  /** How long what is pending may go on once the loop is told to stop. */
  private static final long STOP_NANOS = 1_000_000_000L;

  /** A wait that returns sooner than this found its events already there. */
  private static final long SATURATED_WAIT_NANOS = 20_000;

  private static final long NANOS_A_MILLI = 1_000_000;

  /** Bounds a wait, so that a clock that jumps costs a minute at most. */
  private static final long MAX_WAIT_MILLIS = 60_000;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final Poller poller;
  private final Fd wakeUp;
  private final int wakeUpSlot;
  private final NativeBuffer buffer;
  private final Refuser refuser;
  private final AccessLog accessLog;
  private final Counters counters = new Counters();
  private final List<Listener> listeners = new ArrayList<>();
  private final Backend[] backends;

  /** Backends with a message that is not full, each once. */
  private final Backend[] toFlush;

  private int toFlushCount;
  private final long originNanos;
  private long nowNanos;
  private long wakeByNanos = Long.MAX_VALUE;
  private boolean saturated;
  private volatile boolean stopRequested;

  /**
   * Makes a loop that is not running yet.
   *
   * @param kernel used by the thread that {@link #run}s the loop only, once it runs
   */
  Loop(Kernel kernel, Configuration configuration, AccessLog accessLog) throws SystemCallException {
    this.kernel = kernel;
    this.accessLog = accessLog;
    originNanos = kernel.nanoTime();
    poller = new Poller(kernel);
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    if (r < 0) {
      poller.close();
      throw new SystemCallException("eventfd", -r, "raise the limit of open files");
    }
    wakeUp = Fd.of(r);
    wakeUpSlot = poller.add(wakeUp, Linux.EPOLLIN, events -> kernel.eventfdRead(wakeUp));
    int maxPeekBytes = 1 << 16;
    for (var listener : configuration.listeners()) {
      maxPeekBytes = Math.max(maxPeekBytes, listener.maxPeekBytes());
    }
    buffer = new NativeBuffer(maxPeekBytes);
    refuser = new Refuser(this, buffer);
    List<BackendConfig> configs = configuration.backends();
    backends = new Backend[configs.size()];
    toFlush = new Backend[configs.size()];
    for (int i = 0; i < backends.length; i++) {
      backends[i] = new Backend(this, configs.get(i));
    }
  }

  /**
   * Gives the loop a listening socket, before it runs.
   *
   * @param socket owned by the loop from here on
   */
  void add(ListenerSocket socket) {
    listeners.add(new Listener(this, socket.config(), socket.fd(), socket.label(), buffer));
  }

  /** Closes what the loop has open, but for its sockets: for a loop that never runs. */
  void discard() {
    poller.close();
    kernel.close(wakeUp);
  }

  /**
   * Asks the loop to end: it takes what is queued, finishes or ends what is pending, and returns.
   */
  void stop(Kernel callersKernel) {
    stopRequested = true;
    callersKernel.eventfdWrite(wakeUp, 1);
  }

  @Override
  public void run() {
    for (Listener listener : listeners) {
      listener.start();
    }
    while (!stopRequested) {
      turn();
    }
    for (Listener listener : listeners) {
      listener.stopAccepting();
    }
    flush();
    long stopBy = nowNanos + STOP_NANOS;
    while (!isIdle() && nowNanos < stopBy) {
      wakeBy(stopBy);
      turn();
    }
    listeners.forEach(Listener::close);
    for (Backend backend : backends) {
      backend.close();
    }
    refuser.close();
    poller.remove(wakeUpSlot, wakeUp);
    discard();
  }

  private boolean isIdle() {
    for (Backend backend : backends) {
      if (!backend.isIdle()) {
        return false;
      }
    }
    for (Listener listener : listeners) {
      if (!listener.isIdle()) {
        return false;
      }
    }
    return refuser.isIdle();
  }

  /** Waits, delivers events, runs what is due. */
  private void turn() {
    long before = clock();
    int events = poller.await(waitMillis(before));
    nowNanos = clock();
    saturated = nowNanos - before < SATURATED_WAIT_NANOS;
    for (int i = 0; i < events; i++) {
      try {
        poller.dispatch(i);
      } catch (RuntimeException e) {
        LOG.error("an event could not be handled: this is a fault in Peekpass", e);
      }
    }
    flush();
    if (wakeByNanos <= nowNanos) {
      runTimers();
      flush();
    }
  }

  private void runTimers() {
    wakeByNanos = Long.MAX_VALUE;
    try {
      for (Listener listener : listeners) {
        wakeBy(listener.runTimers(nowNanos));
      }
      for (Backend backend : backends) {
        wakeBy(backend.runTimers(nowNanos));
      }
      wakeBy(refuser.runTimers(nowNanos));
    } catch (RuntimeException e) {
      LOG.error("a timer could not be run: this is a fault in Peekpass", e);
      wakeBy(nowNanos + NANOS_A_MILLI);
    }
  }

  private int waitMillis(long now) {
    if (wakeByNanos == Long.MAX_VALUE) {
      return -1;
    }
    long millis = (wakeByNanos - now + NANOS_A_MILLI - 1) / NANOS_A_MILLI;
    return (int) Math.clamp(millis, 0, MAX_WAIT_MILLIS);
  }

  private long clock() {
    return kernel.nanoTime() - originNanos;
  }

  Kernel kernel() {
    return kernel;
  }

  Poller poller() {
    return poller;
  }

  Refuser refuser() {
    return refuser;
  }

  Counters counters() {
    return counters;
  }

  Logger log() {
    return LOG;
  }

  /** Whether each connection gets a line in the access log. */
  boolean logsAccess() {
    return accessLog.isEnabled();
  }

  Backend backend(int index) {
    return backends[index];
  }

  /** The time of this turn. */
  long nowNanos() {
    return nowNanos;
  }

  /** Makes the loop end the turn of a backend, before it waits again. */
  void flushLater(Backend backend) {
    toFlush[toFlushCount++] = backend;
  }

  /**
   * Sends every message that is being gathered, however few connections it has.
   *
   * @return whether there was any
   */
  boolean flush() {
    boolean any = toFlushCount > 0;
    // A connection that cannot be passed may go to its fallback, which has a message of its own.
    while (toFlushCount > 0) {
      toFlush[--toFlushCount].endTurn();
    }
    return any;
  }

  /** Whether the last wait found its events already there: more work comes than one at a time. */
  boolean isSaturated() {
    return saturated;
  }

  /** Makes the loop run its timers not later than at a time. */
  void wakeBy(long deadlineNanos) {
    wakeByNanos = Math.min(wakeByNanos, deadlineNanos);
  }

  /**
   * Watches a connection for more bytes and for its end.
   *
   * @return false when the kernel refuses, for want of memory or by a limit
   */
  boolean watch(Connection connection) {
    if (connection.slot >= 0) {
      return true;
    }
    int interest = Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLET;
    int slot = poller.add(connection.fd, interest, connection);
    if (slot < 0) {
      LOG.warn("epoll_ctl ADD: {}: a connection is given up", Errno.name(-slot));
      return false;
    }
    connection.slot = slot;
    return true;
  }

  /** Ends watching, which must come before its descriptor is passed or closed. */
  void unwatch(Connection connection) {
    if (connection.slot >= 0) {
      poller.remove(connection.slot, connection.fd);
      connection.slot = Connection.UNWATCHED;
    }
  }

  /** The one end of every connection: records its outcome and closes its descriptor. */
  void end(Connection connection, Outcome outcome) {
    record(connection, outcome);
    release(connection);
  }

  /** Counts and logs a connection's outcome, once; its descriptor stays open. */
  void record(Connection connection, Outcome outcome) {
    counters.count(outcome);
    if (accessLog.isEnabled()) {
      long micros = (clock() - connection.acceptedNanos) / 1000;
      if (!accessLog.record(connection, outcome, micros)) {
        counters.count(Counter.ACCESS_LOG_DROPPED);
      }
    }
  }

  /** Closes a connection's descriptor and takes the object back. */
  void release(Connection connection) {
    unwatch(connection);
    kernel.close(connection.fd);
    connection.listener.recycle(connection);
  }
}
