package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SocketFilter;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Poller;
import dev.peekpass.proxy.turn.Reserve;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
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
 *         wake-up    tasks of other threads, stop                        │
 *        │                                                               │
 *        ├──> messages that are not full yet: Backend.endTurn            │
 *        └──> timers that are due: Listener, Backend, Refuser ───────────┘
 * }</pre>
 *
 * Nothing here blocks but the wait. Times are nanoseconds since the loop was made, by the kernel's
 * monotonic clock.
 */
@SuppressWarnings("exports")
public final class Loop implements Runnable {
  /** How long what is pending may go on once the loop is told to stop. */
  private static final long STOP_NANOS = 1_000_000_000L;

  /** A wait that returns sooner than this found its events already there. */
  private static final long SATURATED_WAIT_NANOS = 20_000;

  private static final int REFUSER_BUFFER_BYTES = 1 << 16;

  private static final long NANOS_A_MILLI = 1_000_000;

  /** Bounds a wait, so that a clock that jumps costs a minute at most. */
  private static final long MAX_WAIT_MILLIS = 60_000;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final Poller poller;
  private final Reserve reserve;
  private final Fd wakeUp;
  private final int wakeUpSlot;
  private final Refuser refuser;
  private final SocketFilter noNewConnections = SocketFilter.noNewTcpConnections();
  private final Counters counters = new Counters();

  /** Backends with a message that is not full, each once; with room for all. */
  private Backend[] toFlush = new Backend[0];

  private int toFlushCount;

  /** Whether a backend of the latest setup may send several connections together. */
  private boolean gathering;

  private final Queue<Task> tasks = new ConcurrentLinkedQueue<>();

  /** Guards {@link #wakeUp} against being written to once it is closed. */
  private final Object wakeUpLock = new Object();

  private boolean wakeUpClosed;

  /** Every listener that has a socket. */
  private final Map<Fd, Listener> accepting = new LinkedHashMap<>();

  private @Nullable Setup current;

  /** Setups from before a reload that are still needed, the oldest first. */
  private final List<Setup> retired = new ArrayList<>();

  /** Every backend of a setup that is needed, each once. */
  private final Set<Backend> backends = new LinkedHashSet<>();

  private final long originNanos;
  private long nowNanos;
  private long wakeByNanos = Long.MAX_VALUE;
  private boolean saturated;
  private boolean sweepNeeded;
  private boolean finishing;
  private volatile boolean stopRequested;
  private volatile boolean ended;

  /** What another thread wants done here; the future tells whether it was. */
  private record Task(Runnable action, CompletableFuture<Boolean> done) {}

  /**
   * Makes a loop that is not running yet.
   *
   * @param kernel used by the thread that {@link #run}s the loop only, once it runs
   */
  public Loop(Kernel kernel) throws SystemCallException {
    this.kernel = kernel;
    originNanos = kernel.nanoTime();
    poller = new Poller(kernel);
    reserve = new Reserve(kernel);
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    if (r < 0) {
      reserve.close();
      poller.close();
      throw new SystemCallException("eventfd", -r, "raise the limit of open files");
    }
    wakeUp = Fd.of(r);
    wakeUpSlot = poller.add(wakeUp, Linux.EPOLLIN, events -> kernel.eventfdRead(wakeUp));
    if (wakeUpSlot < 0) {
      discard();
      throw new SystemCallException(
          "epoll_ctl ADD", -wakeUpSlot, "raise fs.epoll.max_user_watches, or free memory");
    }
    refuser = new Refuser(this, new NativeBuffer(REFUSER_BUFFER_BYTES));
  }

  /** Gives the loop its first setup, before it runs. */
  public void begin(Setup setup) {
    current = setup;
    for (Listener listener : setup.listeners) {
      accepting.put(listener.listening().fd(), listener);
    }
    addBackends(setup);
  }

  private void addBackends(Setup setup) {
    gathering = Arrays.stream(setup.backends()).anyMatch(Backend::gathers);
    Collections.addAll(backends, setup.backends());
    if (toFlush.length < backends.size()) {
      toFlush = Arrays.copyOf(toFlush, 2 * backends.size());
    }
  }

  /** Closes what the loop has open, but for its sockets: for a loop that never runs. */
  public void discard() {
    reserve.close();
    poller.close();
    synchronized (wakeUpLock) {
      wakeUpClosed = true;
      kernel.close(wakeUp);
    }
  }

  /**
   * Asks the loop to end: it takes what is queued, finishes or ends what is pending, and returns.
   */
  public void stop(Kernel callersKernel) {
    stopRequested = true;
    wake(callersKernel);
  }

  /**
   * Has something done by the loop's thread, between two turns.
   *
   * @return true once it is done, false when the loop was told to stop before
   */
  public CompletableFuture<Boolean> submit(Kernel callersKernel, Runnable action) {
    Task task = new Task(action, new CompletableFuture<>());
    tasks.add(task);
    wake(callersKernel);
    if (ended && tasks.remove(task)) {
      task.done.complete(false);
    }
    return task.done;
  }

  private void wake(Kernel callersKernel) {
    synchronized (wakeUpLock) {
      if (!wakeUpClosed) {
        callersKernel.eventfdWrite(wakeUp, 1);
      }
    }
  }

  private void runTasks() {
    for (Task task = tasks.poll(); task != null; task = tasks.poll()) {
      if (stopRequested) {
        // What it may be about is being closed.
        task.done.complete(false);
        continue;
      }
      try {
        task.action.run();
        task.done.complete(true);
      } catch (RuntimeException e) {
        LOG.error("a task failed: this is a fault in Peekpass", e);
        task.done.completeExceptionally(e);
      }
    }
  }

  @Override
  public void run() {
    for (Listener listener : accepting.values()) {
      listener.start();
    }
    while (!stopRequested && !(finishing && isIdle())) {
      turn();
    }
    for (Listener listener : accepting.values()) {
      listener.stopAccepting();
    }
    accepting.clear();
    flush();
    long stopBy = nowNanos + STOP_NANOS;
    while (!isIdle() && nowNanos < stopBy) {
      wakeBy(stopBy);
      turn();
    }
    listeners().forEach(Listener::close);
    backends.forEach(Backend::close);
    refuser.close();
    setups().forEach(setup -> setup.accessLog.close());
    poller.remove(wakeUpSlot, wakeUp);
    discard();
    ended = true;
    for (Task task = tasks.poll(); task != null; task = tasks.poll()) {
      task.done.complete(false);
    }
  }

  /** The setups that are needed, the latest last. */
  private List<Setup> setups() {
    List<Setup> all = new ArrayList<>(retired);
    if (current != null) {
      all.add(current);
    }
    return all;
  }

  private List<Listener> listeners() {
    return setups().stream().flatMap(setup -> setup.listeners.stream()).toList();
  }

  /**
   * Goes over to a new setup. Called by the loop's thread, like the next ones.
   *
   * <p>Listeners whose socket is in the new setup give it to their successor; the others begin to
   * close. What they accepted goes on under the old setup.
   */
  public void swap(Setup next) {
    Setup before = current;
    current = next;
    addBackends(next);
    for (Listener listener : next.listeners) {
      Listener old = accepting.put(listener.listening().fd(), listener);
      if (old == null) {
        listener.start();
      } else {
        listener.takeSocketOf(old);
      }
    }
    for (Listener listener : accepting.values()) {
      if (listener.setup() != next && !listener.isClosing()) {
        listener.beginClosing();
      }
    }
    if (before != null) {
      before.retire();
      retired.add(before);
    }
    sweepNeeded = true;
    wakeBy(nowNanos);
  }

  /** Ends the closing of a socket that {@link #swap} or {@link #abandonSockets} began. */
  public void endClosing(Fd socket) {
    Listener listener = accepting.remove(socket);
    if (listener != null) {
      listener.stopAccepting();
    }
  }

  /**
   * Accepts no more, since another process has the sockets.
   *
   * @param unwanted those that it does not listen on: they begin to close
   */
  public void abandonSockets(Set<Fd> unwanted) {
    accepting
        .values()
        .removeIf(listener -> {
          if (listener.isClosing()) {
            return false;
          }
          if (unwanted.contains(listener.listening().fd())) {
            listener.beginClosing();
            return false;
          }
          listener.abandonSocket();
          return true;
        });
  }

  /** Ends once everything that was accepted has ended. */
  public void finish() {
    finishing = true;
  }

  /** Lets the backends of a name get new connections or not. */
  public void setDrained(String name, boolean drained) {
    for (Backend backend : backends) {
      if (backend.name().equals(name)) {
        backend.setDrained(drained);
      }
    }
  }

  /** Puts a socket of a backend out of its rotation or back, as a probe says. */
  public void setHealthy(BackendConfig of, int socket, boolean healthy) {
    for (Backend backend : backends) {
      if (backend.config().isSameAs(of)) {
        backend.setHealthy(socket, healthy);
      }
    }
  }

  /**
   * Duplicates of the listening sockets, but for those that are closing, as far as there is room
   * for them; the caller owns them.
   */
  public Map<Fd, Fd> duplicateSockets() {
    Map<Fd, Fd> duplicates = new LinkedHashMap<>();
    for (Listener listener : accepting.values()) {
      Fd socket = listener.listening().fd();
      int r = listener.isClosing() ? -1 : kernel.fcntl(socket, Linux.F_DUPFD_CLOEXEC, 0);
      if (r >= 0) {
        duplicates.put(socket, Fd.of(r));
      }
    }
    return duplicates;
  }

  /** What its listeners are doing. */
  public List<ListenerStatus> listenerStatus() {
    return accepting.values().stream()
        .map(listener ->
            new ListenerStatus(
                listener.label(),
                listener.listening().bind().toString(),
                listener.isClosing(),
                1,
                listener.queued(),
                listener.pendingOfSocket()))
        .toList();
  }

  /** What the backends of the latest setup are doing. */
  public List<BackendStatus> backendStatus() {
    Setup latest = current;
    return latest == null
        ? List.of()
        : Arrays.stream(latest.backends()).map(Backend::status).toList();
  }

  /** Has setups that are no longer needed removed at the end of the turn. */
  public void sweepLater() {
    sweepNeeded = true;
  }

  private void sweep() {
    sweepNeeded = false;
    Set<Object> needed = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Setup> unused = retired.stream().filter(Setup::isUnused).toList();
    retired.removeAll(unused);
    for (Setup setup : setups()) {
      Collections.addAll(needed, (Object[]) setup.backends());
      needed.add(setup.accessLog);
    }
    for (Setup setup : unused) {
      if (!needed.contains(setup.accessLog)) {
        setup.accessLog.close();
      }
    }
    backends.removeIf(backend -> {
      boolean gone = !needed.contains(backend);
      if (gone) {
        backend.close();
      }
      return gone;
    });
  }

  private boolean isIdle() {
    for (Backend backend : backends) {
      if (!backend.isIdle()) {
        return false;
      }
    }
    for (Listener listener : listeners()) {
      if (!listener.isIdle()) {
        return false;
      }
    }
    return accepting.isEmpty() && refuser.isIdle();
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
    if (!tasks.isEmpty()) {
      runTasks();
    }
    flush();
    if (wakeByNanos <= nowNanos) {
      runTimers();
      flush();
    }
    if (sweepNeeded) {
      sweep();
    }
  }

  private void runTimers() {
    wakeByNanos = Long.MAX_VALUE;
    try {
      Setup latest = current;
      if (latest != null) {
        runTimersOf(latest);
      }
      for (Setup setup : retired) {
        runTimersOf(setup);
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

  private void runTimersOf(Setup setup) {
    for (Listener listener : setup.listeners) {
      wakeBy(listener.runTimers(nowNanos));
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

  public Kernel kernel() {
    return kernel;
  }

  public Poller poller() {
    return poller;
  }

  public Reserve reserve() {
    return reserve;
  }

  public Refuser refuser() {
    return refuser;
  }

  public Counters counters() {
    return counters;
  }

  public Logger log() {
    return LOG;
  }

  /** What is attached to a listener that closes. */
  public SocketFilter noNewConnections() {
    return noNewConnections;
  }

  /**
   * What a connection spares that is taken in the same turn as another, in calls: a wait, and a
   * message, its reading and its acknowledgement where they go together, which costs far more.
   */
  public int callsAnotherSpares() {
    return gathering ? 8 : 1;
  }

  /** The time of this turn. */
  public long nowNanos() {
    return nowNanos;
  }

  /** Makes the loop end the turn of a backend, before it waits again. */
  public void flushLater(Backend backend) {
    toFlush[toFlushCount++] = backend;
    gathering = true;
  }

  /**
   * Sends every message that is being gathered, however few connections it has.
   *
   * @return whether there was any
   */
  public boolean flush() {
    boolean any = toFlushCount > 0;
    // A connection that cannot be passed may go to its fallback, which has a message of its own.
    while (toFlushCount > 0) {
      toFlush[--toFlushCount].endTurn();
    }
    return any;
  }

  /** Whether the last wait found its events already there: more work comes than one at a time. */
  public boolean isSaturated() {
    return saturated;
  }

  /** Makes the loop run its timers not later than at a time. */
  public void wakeBy(long deadlineNanos) {
    wakeByNanos = Math.min(wakeByNanos, deadlineNanos);
  }

  /**
   * Watches a connection for more bytes and for its end.
   *
   * @return false when the kernel refuses, for want of memory or by a limit
   */
  public boolean watch(Connection connection) {
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
  public void unwatch(Connection connection) {
    if (connection.slot >= 0) {
      poller.remove(connection.slot, connection.fd);
      connection.slot = Connection.UNWATCHED;
    }
  }

  /** The one end of every connection: records its outcome and closes its descriptor. */
  public void end(Connection connection, Outcome outcome) {
    record(connection, outcome);
    release(connection);
  }

  /** Counts and logs a connection's outcome, once; its descriptor stays open. */
  public void record(Connection connection, Outcome outcome) {
    counters.count(outcome);
    AccessLog accessLog = connection.listener.setup().accessLog;
    if (accessLog.isEnabled()) {
      long micros = (clock() - connection.acceptedNanos) / 1000;
      if (!accessLog.record(connection, outcome, micros)) {
        counters.count(Counter.ACCESS_LOG_DROPPED);
      }
    }
  }

  /** Closes a connection's descriptor and takes the object back. */
  public void release(Connection connection) {
    unwatch(connection);
    kernel.close(connection.fd);
    reserve.restore();
    connection.listener.recycle(connection);
  }
}
