package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.backend.ConnectingAhead;
import dev.peekpass.proxy.backend.Gathering;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.listen.Clients;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.DescriptorCloser;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

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

  private final Kernel kernel;
  private final Turn turn;
  private final Ending ending;
  private final Gathering gathering;
  private final Refuser refuser;
  private final Clients clients;
  private final Inbox inbox;

  private final OpenListeners listeners;

  private @Nullable Generation current;

  /** Generations from before a reload that are still needed, the oldest first. */
  private final List<Generation> retired = new ArrayList<>();

  /** Every backend of a generation that is needed, each once. */
  private final Set<Backend> backends = new LinkedHashSet<>();

  private final ConnectingAhead ahead;
  private int failedWaits;
  private boolean sweepNeeded;
  private boolean finishing;

  /**
   * Makes a loop that is not running yet.
   *
   * @param kernel used by the thread that {@link #run}s the loop only, once it runs
   * @param closers makes those who close what the loop's thread must not wait for
   * @throws SystemCallException with nothing left open
   */
  Loop(Kernel kernel, DescriptorCloser.Factory closers) throws SystemCallException {
    this.kernel = kernel;
    turn = new Turn(kernel, closers);
    ending = new Ending(turn);
    gathering = new Gathering(turn, ending);
    refuser = new Refuser(turn, ending);
    clients = new Clients(turn);
    listeners = new OpenListeners(turn);
    ahead = new ConnectingAhead(turn);
    try {
      inbox = new Inbox(turn);
    } catch (SystemCallException | RuntimeException | Error e) {
      turn.close();
      throw e;
    }
  }

  /** Gives the loop its first generation, before it runs. */
  void begin(Generation first) {
    current = first;
    listeners.own(first.listeners());
    addBackends(first);
  }

  private void addBackends(Generation of) {
    gathering.together(of.backends().all().stream().anyMatch(Backend::gathers));
    for (Backend backend : of.backends().all()) {
      if (backends.add(backend)) {
        ahead.add(backend);
      }
    }
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
    turn.pulse().belongToCaller(kernel);
    try {
      listeners.start();
      ahead.goOn();
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
    listeners.end(stopBy);
    listeners.goOnEnding();
    gathering.flush();
    while (!isIdle() && turn.nowNanos() < stopBy) {
      turn.wakeBy(stopBy);
      runTurn();
    }
  }

  /** Closes everything, whatever has happened and whatever one of them throws. */
  private void freeAll() {
    Cleanup cleanup = new Cleanup(turn);
    cleanup.attempt(listeners::close);
    for (Generation generation : generations()) {
      generation.listeners().forEach(listener -> cleanup.attempt(listener::endPending));
    }
    cleanup.attempt(gathering::close);
    backends.forEach(backend -> cleanup.attempt(backend::close));
    cleanup.attempt(refuser::close);
    generations().forEach(generation -> cleanup.attempt(generation.accessLog()::close));
    cleanup.attempt(this::discard);
    cleanup.attempt(turn.pulse()::end);
    cleanup.end();
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
    if (before != null) {
      before.retire();
      retired.add(before);
    }
    sweepNeeded = true;
    turn.wakeBy(turn.nowNanos());
    listeners.swap(next.listeners());
  }

  /** Ends the closing of a socket that {@link #swap} or {@link #abandonSockets} began. */
  void endClosing(Fd socket) {
    listeners.endClosing(socket);
  }

  /** See {@link OpenListeners#abandon}. */
  void abandonSockets(Set<Fd> unwanted) {
    listeners.abandon(unwanted);
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

  /** See {@link OpenListeners#duplicates}. */
  Map<Fd, Fd> duplicateSockets() {
    return listeners.duplicates();
  }

  /** What it is doing; of backends, what those of the latest generation are. */
  StatusReport.Part status() {
    Generation latest = current;
    return new StatusReport.Part(
        listeners.status(),
        latest == null ? List.of() : latest.backends().status(),
        clients.tracked());
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
        ahead.remove(backend);
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
    return listeners.isEmpty() && refuser.isIdle() && gathering.isIdle();
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
    boolean due = turn.takeDue();
    ahead.goOn();
    listeners.goOnEnding();
    gathering.flush();
    if (due) {
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

  Clients clients() {
    return clients;
  }

  Counters counters() {
    return turn.counters();
  }
}
