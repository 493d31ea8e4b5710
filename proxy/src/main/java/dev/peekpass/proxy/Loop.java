package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.backend.Gathering;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
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
 *        ├──> what leaves at the end of a turn: Gathering                │
 *        └──> timers that are due: Listener, Backend, Refuser ───────────┘
 * }</pre>
 *
 * Nothing here blocks but the wait. A RuntimeException ends what it is about; whatever else ends
 * the loop, it frees all it has.
 */
final class Loop implements Runnable {
  /** How long what is pending may go on once the loop is told to stop. */
  private static final long STOP_NANOS = 1_000_000_000L;

  private static final long NANOS_A_MILLI = 1_000_000;

  /** How many waits may fail in a row before the loop is given up. */
  private static final int MOST_FAILED_WAITS = 8;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final Turn turn;
  private final Ending ending;
  private final Gathering gathering;
  private final Refuser refuser;
  private final Inbox inbox;

  /** Every listener that has a socket. */
  private final Map<Fd, Listener> accepting = new LinkedHashMap<>();

  private @Nullable Generation current;

  /** Generations from before a reload that are still needed, the oldest first. */
  private final List<Generation> retired = new ArrayList<>();

  /** Every backend of a generation that is needed, each once. */
  private final Set<Backend> backends = new LinkedHashSet<>();

  /** Whether the socket of any listener ends once its queue is empty. */
  private boolean listenersEnd;

  private int failedWaits;
  private boolean sweepNeeded;
  private boolean finishing;

  /**
   * Makes a loop that is not running yet.
   *
   * @param kernel used by the thread that {@link #run}s the loop only, once it runs
   * @throws SystemCallException with nothing left open
   */
  Loop(Kernel kernel) throws SystemCallException {
    this.kernel = kernel;
    turn = new Turn(kernel);
    ending = new Ending(turn);
    gathering = new Gathering(turn, ending);
    refuser = new Refuser(turn, ending);
    try {
      inbox = new Inbox(turn);
    } catch (SystemCallException e) {
      turn.close();
      throw e;
    }
  }

  /** Gives the loop its first generation, before it runs. */
  void begin(Generation first) {
    current = first;
    for (Listener listener : first.listeners()) {
      accepting.put(listener.bound().fd(), listener);
    }
    addBackends(first);
  }

  private void addBackends(Generation of) {
    gathering.together(of.backends().all().stream().anyMatch(Backend::gathers));
    backends.addAll(of.backends().all());
  }

  /** Closes what the loop has open, but for its sockets: for a loop that never runs. */
  void discard() {
    try {
      inbox.close();
    } finally {
      turn.close();
    }
  }

  /**
   * Asks the loop to end: it takes what is queued, finishes or ends what is pending, and returns.
   */
  void stop(Kernel callersKernel) {
    inbox.stop(callersKernel);
  }

  /** See {@link Inbox#submit}. */
  CompletableFuture<Boolean> submit(Kernel callersKernel, Runnable action) {
    return inbox.submit(callersKernel, action);
  }

  @Override
  public void run() {
    try {
      accepting.values().forEach(Listener::start);
      while (!inbox.isStopRequested() && !(finishing && isIdle())) {
        runTurn();
      }
      finishPending();
    } finally {
      freeAll();
    }
  }

  /** Accepts what is queued and lets what is pending come to its end, for a time. */
  private void finishPending() {
    long stopBy = turn.nowNanos() + STOP_NANOS;
    accepting.values().forEach(listener -> listener.endClosing(stopBy));
    listenersEnd = true;
    endEmptyListeners();
    gathering.flush();
    while (!isIdle() && turn.nowNanos() < stopBy) {
      turn.wakeBy(stopBy);
      runTurn();
    }
  }

  /** Closes everything, whatever has happened and whatever one of them throws. */
  private void freeAll() {
    List<Runnable> all = new ArrayList<>();
    for (Generation generation : generations()) {
      generation.listeners().forEach(listener -> all.add(listener::endPending));
      generation.listeners().forEach(listener -> all.add(listener::abandonSocket));
    }
    all.add(gathering::close);
    backends.forEach(backend -> all.add(backend::close));
    all.add(refuser::close);
    generations().forEach(generation -> all.add(generation.accessLog()::close));
    all.add(this::discard);
    for (Runnable one : all) {
      try {
        one.run();
      } catch (RuntimeException | Error e) {
        LOG.error("something could not be closed at the end of a loop", e);
      }
    }
  }

  /** The generations that are needed, the latest last. */
  private List<Generation> generations() {
    List<Generation> all = new ArrayList<>(retired);
    if (current != null) {
      all.add(current);
    }
    return all;
  }

  /**
   * Goes over to a new generation. Called by the loop's thread, like the next ones.
   *
   * <p>Listeners whose socket is in the new one give it to their successor; the others begin to
   * close. What they accepted goes on under the old one.
   */
  void swap(Generation next) {
    Generation before = current;
    current = next;
    addBackends(next);
    for (Listener listener : next.listeners()) {
      Listener old = accepting.put(listener.bound().fd(), listener);
      if (old == null) {
        listener.start();
      } else {
        listener.takeSocketOf(old);
      }
    }
    for (Listener listener : accepting.values()) {
      if (!next.listeners().contains(listener)) {
        listener.beginClosing();
      }
    }
    if (before != null) {
      before.retire();
      retired.add(before);
    }
    sweepNeeded = true;
    turn.wakeBy(turn.nowNanos());
  }

  /** Ends the closing of a socket that {@link #swap} or {@link #abandonSockets} began. */
  void endClosing(Fd socket) {
    Listener listener = accepting.get(socket);
    if (listener != null) {
      listener.endClosing(turn.nowNanos() + STOP_NANOS);
      listenersEnd = true;
    }
  }

  private void endEmptyListeners() {
    if (!listenersEnd) {
      return;
    }
    listenersEnd = false;
    for (Iterator<Listener> each = accepting.values().iterator(); each.hasNext(); ) {
      Listener listener = each.next();
      if (listener.isEnding() && endIfEmpty(listener)) {
        each.remove();
      }
      listenersEnd |= listener.isEnding();
    }
  }

  private boolean endIfEmpty(Listener listener) {
    try {
      return listener.endIfEmpty();
    } catch (RuntimeException e) {
      turn.fault("listener " + listener.label() + ": its end failed", e);
      turn.wakeBy(turn.nowNanos() + NANOS_A_MILLI);
      return !listener.isOpen();
    }
  }

  /**
   * Accepts no more, since another process has the sockets.
   *
   * @param unwanted those that it does not listen on: they begin to close
   */
  void abandonSockets(Set<Fd> unwanted) {
    accepting
        .values()
        .removeIf(listener -> {
          if (listener.isClosing()) {
            return false;
          }
          if (unwanted.contains(listener.bound().fd())) {
            listener.beginClosing();
            return false;
          }
          listener.abandonSocket();
          return true;
        });
  }

  /** Ends once everything that was accepted has ended. */
  void finish() {
    finishing = true;
  }

  /** Lets the backends of a name get new connections or not. */
  void setDrained(String name, boolean drained) {
    for (Backend backend : backends) {
      if (backend.name().equals(name)) {
        backend.setDrained(drained);
      }
    }
  }

  /** Puts a socket of a backend out of its rotation or back, as a probe says. */
  void setHealthy(BackendConfig of, int socket, boolean healthy) {
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
  Map<Fd, Fd> duplicateSockets() {
    Map<Fd, Fd> duplicates = new LinkedHashMap<>();
    for (Listener listener : accepting.values()) {
      Fd socket = listener.bound().fd();
      int r = listener.isClosing() ? -1 : kernel.fcntl(socket, Linux.F_DUPFD_CLOEXEC, 0);
      if (r >= 0) {
        duplicates.put(socket, Fd.of(r));
      }
    }
    return duplicates;
  }

  /** What its listeners are doing. */
  List<ListenerStatus> listenerStatus() {
    return accepting.values().stream().map(Listener::status).toList();
  }

  /** What the backends of the latest generation are doing. */
  List<BackendStatus> backendStatus() {
    Generation latest = current;
    return latest == null
        ? List.of()
        : latest.backends().all().stream().map(Backend::status).toList();
  }

  /** Has generations that are no longer needed removed at the end of the turn. */
  void sweepLater() {
    sweepNeeded = true;
  }

  private void sweep() {
    sweepNeeded = false;
    Set<Object> needed = Collections.newSetFromMap(new IdentityHashMap<>());
    List<Generation> unused = retired.stream().filter(Generation::isUnused).toList();
    retired.removeAll(unused);
    for (Generation generation : generations()) {
      needed.addAll(generation.backends().all());
      needed.add(generation.accessLog());
    }
    for (Generation generation : unused) {
      if (!needed.contains(generation.accessLog())) {
        generation.accessLog().close();
      }
    }
    backends.removeIf(backend -> {
      boolean gone = !needed.contains(backend);
      if (gone) {
        turn.contain(backend::close);
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
    for (Generation generation : generations()) {
      for (Listener listener : generation.listeners()) {
        if (!listener.isIdle()) {
          return false;
        }
      }
    }
    return accepting.isEmpty() && refuser.isIdle() && gathering.isIdle();
  }

  /** Waits, delivers events, runs what is due. */
  private void runTurn() {
    int events = await();
    for (int i = 0; i < events; i++) {
      turn.dispatch(i);
    }
    if (!inbox.isEmpty()) {
      inbox.run();
    }
    endEmptyListeners();
    gathering.flush();
    if (turn.takeDue()) {
      runTimers();
      gathering.flush();
    }
    if (sweepNeeded) {
      sweep();
    }
  }

  private int await() {
    try {
      int events = turn.await();
      failedWaits = 0;
      return events;
    } catch (RuntimeException e) {
      failedWaits++;
      if (failedWaits > MOST_FAILED_WAITS) {
        throw e;
      }
      turn.fault("a wait failed", e);
      return 0;
    }
  }

  private void runTimers() {
    runTimersOf(current);
    for (Generation generation : retired) {
      runTimersOf(generation);
    }
    for (Backend backend : backends) {
      try {
        turn.wakeBy(backend.runTimers(turn.nowNanos()));
      } catch (RuntimeException e) {
        timerFailed("backend " + backend.name(), e);
      }
    }
    turn.wakeBy(refuser.runTimers(turn.nowNanos()));
  }

  private void runTimersOf(@Nullable Generation generation) {
    if (generation == null) {
      return;
    }
    for (Listener listener : generation.listeners()) {
      try {
        turn.wakeBy(listener.runTimers(turn.nowNanos()));
      } catch (RuntimeException e) {
        timerFailed("listener " + listener.label(), e);
      }
    }
  }

  private void timerFailed(String whose, RuntimeException e) {
    turn.fault(whose + ": a timer could not be run", e);
    turn.wakeBy(turn.nowNanos() + NANOS_A_MILLI);
  }

  Kernel kernel() {
    return kernel;
  }

  Turn turn() {
    return turn;
  }

  Ending ending() {
    return ending;
  }

  Gathering gathering() {
    return gathering;
  }

  Refuser refuser() {
    return refuser;
  }

  Counters counters() {
    return turn.counters();
  }
}
