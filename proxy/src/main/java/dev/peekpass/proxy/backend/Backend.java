package dev.peekpass.proxy.backend;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.handoff.Channel;
import dev.peekpass.proxy.handoff.Passing;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.DescriptorCloser;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * A backend as one loop sees it: the connections that are its own until a receiver has them, and
 * the {@link Receivers} that take them.
 *
 * <pre>{@code
 *           nothing waits            full, or the turn ends     a receiver took it
 * handOff ────────────────> gathered ──────────────────────> ? ──────────────────> offered, or passed
 *    │ something waits                                       │ none did
 *    ├──────────────────────────> waiting <──────────────────┤
 *    │                              │  └── room again, or time to retry ──> ?
 *    │ drained, max-queue           │ too late
 *    └──────────────────────────────┴──> given on (Gathering) <── none is there, and a backup is
 * }</pre>
 *
 * <p>Waiting is bounded twice: by {@code max-queue} connections, and by {@code hand-off-timeout}
 * for each. They leave in the order they came. Nothing is given to another backend from here: that
 * would come back to a queue that is being emptied.
 */
public final class Backend implements Passing {
  private final Turn turn;
  private final Ending ending;
  private final Gathering gathering;
  private final DescriptorCloser aside;
  private final BackendConfig config;
  private final Receivers receivers;

  /** What came in this turn, while nothing waits, so that the order is kept. */
  private final ConnectionQueue gathered = new ConnectionQueue(Stage.UNWATCHED);

  private final ConnectionQueue waiting = new ConnectionQueue(Stage.UNWATCHED);

  private final BoundQueue bound;

  /** The next message, while it is being sent. */
  private final Batch batch;

  /** How many gathered connections make a message full. */
  private int atOnce;

  private final long handOffTimeoutNanos;
  private final Runnable pumping = this::pump;
  private boolean flushAsked;
  private boolean drained;
  private long passedCount;
  private final Retry retry;

  /**
   * Makes a backend without a channel that is open.
   *
   * @param drained whether it gets no new connections
   */
  public Backend(
      Turn turn, Ending ending, Gathering gathering, BackendConfig config, boolean drained) {
    this.turn = turn;
    this.ending = ending;
    this.gathering = gathering;
    this.config = config;
    this.drained = drained;
    aside = turn.newCloser();
    retry = new Retry(turn);
    atOnce = config.batch();
    batch = new Batch(Math.max(atOnce, Channel.MOST_AT_ONCE));
    handOffTimeoutNanos = config.handOffTimeout().toNanos();
    receivers = new Receivers(turn, ending, this, config, batch.capacity());
    bound = new BoundQueue(turn, gathering, receivers, config.name());
  }

  /** Its name in the configuration. */
  public String name() {
    return config.name();
  }

  /** What the configuration says of it. */
  public BackendConfig config() {
    return config;
  }

  /** Whether it gets no new connections: they are treated as though it took none. */
  public void setDrained(boolean drained) {
    this.drained = drained;
  }

  /**
   * Connects to its receivers before there is a connection to pass, so that log and status say at
   * once whether they are there and let the proxy in.
   */
  public void connectAhead() {
    if (!drained) {
      receivers.connectAhead();
    }
  }

  /** Whether connections of one turn gather to a message. */
  public boolean gathers() {
    return atOnce > 1;
  }

  @Override
  public void gather(int connections) {
    atOnce = Math.max(atOnce, Math.min(connections, batch.capacity()));
  }

  /**
   * Takes charge of a routed connection: passes it now, or with others of this turn at its end at
   * the latest, or keeps it until it can be passed or its time is up.
   *
   * @param connection not watched by the poller. Its descriptor is closed once passed
   */
  public void handOff(Connection connection) {
    connection.backend = name();
    connection.deadlineNanos = turn.nowNanos() + handOffTimeoutNanos;
    if (drained) {
      turn.count(Counter.DRAINED);
      gathering.giveOn(connection);
      return;
    }
    if (connection.isBound()) {
      awaitBound(connection);
      return;
    }
    if (!waiting.isEmpty()) {
      awaitGathered();
      await(connection);
      return;
    }
    gathered.add(connection);
    if (gathered.size() >= atOnce) {
      flush();
    } else if (!flushAsked) {
      flushAsked = true;
      gathering.flushLater(this);
    }
  }

  /** The turn ends: passes what it has gathered. */
  void endTurn() {
    flushAsked = false;
    flush();
  }

  /** Passes what is gathered; what no receiver takes waits, or is given on. */
  private void flush() {
    if (!waiting.isEmpty()) {
      // Something older was taken back in the turn that gathered this.
      pump();
      return;
    }
    passContained(gathered);
    boolean elsewhere = !gathered.isEmpty() && isToBackUp();
    for (Connection left = gathered.first(); left != null; left = gathered.first()) {
      if (elsewhere) {
        gathering.giveOn(left);
      } else {
        await(left);
      }
    }
  }

  /** Passes the first of a queue as far as receivers take them; returns whether any was passed. */
  private boolean passContained(ConnectionQueue from) {
    try {
      for (Connection c = from.first(); c != null && !batch.isFull(); c = from.after(c)) {
        batch.add(c);
      }
      return receivers.pass(batch, atOnce > 1) > 0;
    } catch (RuntimeException e) {
      // What a channel throws is contained where it is known whom it concerns. This is about none.
      turn.fault("backend " + name() + ": no receiver could be chosen", e);
      return false;
    } finally {
      batch.clear();
    }
  }

  /** Whether its connections are another backend's, since no receiver of its own is there. */
  private boolean isToBackUp() {
    return config.backup().isPresent() && !receivers.areThere();
  }

  private void await(Connection connection) {
    if (waitingCount() >= config.maxQueue()) {
      turn.count(Counter.MAX_QUEUE_REACHED);
      gathering.giveOn(connection);
      return;
    }
    turn.count(Counter.QUEUED);
    waiting.add(connection);
    awaitReceiver(connection);
  }

  /** It has come from another backend, where a receiver had it that is not trusted. */
  private void awaitBound(Connection connection) {
    bound.add(connection);
    bound.pump();
    if (!bound.has(connection)) {
      return;
    }
    boolean full = waitingCount() > config.maxQueue();
    if (full) {
      turn.count(Counter.MAX_QUEUE_REACHED);
    }
    if (full || isToBackUp()) {
      gathering.giveOn(connection);
      return;
    }
    turn.count(Counter.QUEUED);
    awaitReceiver(connection);
  }

  private void awaitReceiver(Connection connection) {
    turn.wakeBy(connection.deadlineNanos);
    retry.begin();
  }

  /**
   * {@inheritDoc}
   *
   * <p>That it was counted once is why {@code max-queue} does not apply.
   */
  @Override
  public void takeBack(Connection connection) {
    turn.count(Counter.TAKEN_BACK);
    connection.offeredBefore = true;
    if (connection.isBound()) {
      bound.add(connection);
    } else {
      unblock(connection);
      waiting.putBack(connection);
    }
    awaitReceiver(connection);
  }

  /**
   * A receiver that is trusted may have made it blocking, which all copies of a descriptor share.
   * One that is not could do so again, and could make this call wait.
   */
  private void unblock(Connection connection) {
    boolean unblocked = false;
    try {
      turn.kernel().fcntl(connection.fd, Linux.F_SETFL, Linux.O_RDWR | Linux.O_NONBLOCK);
      unblocked = true;
    } finally {
      if (!unblocked) {
        ending.fail(connection);
      }
    }
  }

  @Override
  public void handedOff(Connection connection) {
    passedCount++;
    ending.end(connection, connection.onFallback ? Outcome.PASSED_TO_FALLBACK : Outcome.PASSED);
  }

  @Override
  public void pump() {
    if (!waiting.isEmpty()) {
      awaitGathered();
    }
    while (!waiting.isEmpty() && passContained(waiting)) {}
    if (!bound.isEmpty()) {
      bound.pump();
    }
    if (anyWaits() && isToBackUp()) {
      for (Connection c = waiting.first(); c != null; c = waiting.first()) {
        gathering.giveOn(c);
      }
      bound.giveOnAll();
    }
    rest();
  }

  /** Something older was taken back since they came: they wait behind it, before what comes. */
  private void awaitGathered() {
    for (Connection c = gathered.first(); c != null; c = gathered.first()) {
      await(c);
    }
  }

  private boolean anyWaits() {
    return !waiting.isEmpty() || !bound.isEmpty();
  }

  private int waitingCount() {
    return waiting.size() + bound.size();
  }

  private void rest() {
    if (!anyWaits()) {
      retry.rest();
    }
  }

  @Override
  public DescriptorCloser aside() {
    return aside;
  }

  @Override
  public void cameBack(String path) {
    receivers.cameBack(path);
  }

  @Override
  public boolean triesAll() {
    return receivers.triesAll();
  }

  /** Puts a socket out of the rotation or back, as a probe says. */
  public void setHealthy(int socket, boolean is) {
    receivers.setHealthy(socket, is);
    pump();
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  public long runTimers(long nowNanos) {
    int before = waitingCount();
    long due = receivers.runTimers(nowNanos);
    if (waitingCount() > before || (anyWaits() && isToBackUp())) {
      pump();
    }
    return Math.min(due, runQueue(nowNanos));
  }

  private long runQueue(long nowNanos) {
    for (@Nullable Connection late = firstExpired(nowNanos);
        late != null;
        late = firstExpired(nowNanos)) {
      turn.count(Counter.HAND_OFF_TIMED_OUT);
      gathering.giveOn(late);
    }
    rest();
    if (retry.isDue(nowNanos)) {
      int before = waitingCount();
      receivers.tryAll(pumping);
      if (anyWaits()) {
        retry.again(nowNanos, waitingCount() < before);
      }
    }
    long deadline = Math.min(waiting.nextDeadlineNanos(), bound.nextDeadlineNanos());
    return Math.min(retry.atNanos(), deadline);
  }

  private @Nullable Connection firstExpired(long nowNanos) {
    Connection late = waiting.firstExpired(nowNanos);
    return late != null ? late : bound.firstExpired(nowNanos);
  }

  /** What is to be told of it. */
  public BackendStatus status() {
    return new BackendStatus(name(), drained, passedCount, waitingCount(), receivers.status());
  }

  /** Whether no connection is here. */
  public boolean isIdle() {
    return receivers.areIdle() && !anyWaits() && gathered.isEmpty();
  }

  /** Ends what still waits and closes the channels, all of them whatever one throws. */
  public void close() {
    Cleanup cleanup = new Cleanup(turn);
    cleanup.attempt(() -> ending.stopAll(gathered));
    cleanup.attempt(() -> ending.stopAll(waiting));
    cleanup.attempt(() -> bound.close(ending));
    cleanup.attempt(receivers::close);
    cleanup.end();
  }
}
