package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The connections of a listener whose head is not complete, each until its time is up. A socket's
 * pending connections are counted together, also those that came before a reload, whose own pending
 * ones are the predecessor's. So are they by their clients.
 */
final class Pending {
  private static final long DEFERRED_NANOS = BoundSocket.DEFER_ACCEPT_SECONDS * 1_000_000_000L;

  private final Turn turn;
  private final Ending ending;
  private final boolean deferAccept;
  private final long timeoutNanos;

  private final ClientLimits perClient;

  /** All incomplete connections of the socket; another's, once this one follows it. */
  private ClientCounts counts;

  /** In two queues because each queue gives all its members the same time. */
  private final ConnectionQueue begun;

  private final ConnectionQueue silent;

  /** What had the socket before a reload, while connections of it are incomplete. */
  private @Nullable Pending predecessor;

  /**
   * Makes one without a connection.
   *
   * @param stage what handles the news of those that stand here
   */
  Pending(
      Turn turn, Ending ending, Clients clients, ListenerConfig config, String label, Stage stage) {
    this.turn = turn;
    this.ending = ending;
    perClient = config.perClient();
    counts = new ClientCounts(clients, perClient, label);
    deferAccept = config.deferAccept();
    timeoutNanos = config.peekTimeout().toNanos();
    // Not the counts of now: those of the socket that it will have.
    begun = new ConnectionQueue(stage, connection -> counts.remove(connection));
    silent = new ConnectionQueue(stage, connection -> counts.remove(connection));
  }

  /** Begins with a socket that nobody had. */
  void open() {
    counts.open();
    counts.keptBy(this);
  }

  /** The socket is closed; those that are incomplete go on. */
  void close() {
    counts.close();
  }

  /** Goes on with the socket of another, whose connections stay its own. */
  void follow(Pending before) {
    predecessor = before;
    forgetIdlePredecessors();
    counts = before.counts;
    counts.keptBy(this);
    if (counts.change(perClient)) {
      countAnew();
    }
  }

  /** Those that came first are counted first: of each client the oldest must be known. */
  private void countAnew() {
    List<Connection> all = new ArrayList<>();
    for (Pending p = this; p != null; p = p.predecessor) {
      addTo(all, p.begun);
      addTo(all, p.silent);
    }
    all.sort((one, other) -> Long.signum(one.acceptedNanos - other.acceptedNanos));
    all.forEach(counts::countAnew);
  }

  private static void addTo(List<Connection> all, ConnectionQueue queue) {
    for (Connection c = queue.first(); c != null; c = queue.after(c)) {
      all.add(c);
    }
  }

  /** The incomplete connections of this socket, by their clients. */
  ClientCounts counts() {
    return counts;
  }

  /** Takes a connection in from wherever it stands, until its time is up. */
  void add(Connection connection) {
    // The kernel has kept a client that is silent now to itself for the time of TCP_DEFER_ACCEPT.
    boolean deferred = deferAccept && connection.peekedBytes == 0;
    long waited = deferred ? Math.min(DEFERRED_NANOS, timeoutNanos / 2) : 0;
    long deadline = connection.acceptedNanos + timeoutNanos - waited;
    (deferred ? silent : begun).add(connection, deadline);
    counts.add(connection);
    turn.wakeBy(deadline);
  }

  /** Whether a connection stands here. */
  boolean has(Connection connection) {
    return connection.isIn(begun) || connection.isIn(silent);
  }

  private @Nullable Connection oldest() {
    return begun.nextDeadlineNanos() < silent.nextDeadlineNanos() ? begun.first() : silent.first();
  }

  private int size() {
    return begun.size() + silent.size();
  }

  /** Whether none stands here. */
  boolean isEmpty() {
    return begun.isEmpty() && silent.isEmpty();
  }

  /** How many are incomplete on this socket, those from before a reload too. */
  int sizeOfSocket() {
    int sum = size();
    for (Pending p = predecessor; p != null; p = p.predecessor) {
      sum += p.size();
    }
    return sum;
  }

  /** The incomplete connection of this socket that has been so for the longest, or null. */
  @Nullable Connection oldestOfSocket() {
    forgetIdlePredecessors();
    Connection oldest = oldest();
    for (Pending p = predecessor; p != null; p = p.predecessor) {
      oldest = p.isEmpty() ? oldest : p.oldest();
    }
    return oldest;
  }

  /**
   * The one to give up for another that comes: the oldest of the client that has most, which may be
   * the one that comes. Where all have one, the oldest of all.
   *
   * @return null when none is incomplete
   */
  @Nullable Connection toGiveUpFor(Connection comes) {
    Connection heaviest = counts.oldestOfHeaviest(comes.peerHigh, comes.peerLow);
    return heaviest == null ? oldestOfSocket() : heaviest;
  }

  /** What has no socket any more gets no more connections: once idle it is idle for good. */
  private void forgetIdlePredecessors() {
    Pending keeper = this;
    for (Pending p = predecessor; p != null; p = p.predecessor) {
      if (p.isEmpty()) {
        keeper.predecessor = p.predecessor;
      } else {
        keeper = p;
      }
    }
  }

  /**
   * Gives those on whose time is up.
   *
   * @param onTimeout takes it out of here, whatever happens
   * @return when the next one is due, or {@link Long#MAX_VALUE}
   */
  long expire(long nowNanos, Consumer<Connection> onTimeout) {
    expire(begun, nowNanos, onTimeout);
    expire(silent, nowNanos, onTimeout);
    return Math.min(begun.nextDeadlineNanos(), silent.nextDeadlineNanos());
  }

  private static void expire(ConnectionQueue queue, long nowNanos, Consumer<Connection> onTimeout) {
    for (@Nullable Connection late = queue.firstExpired(nowNanos);
        late != null;
        late = queue.firstExpired(nowNanos)) {
      onTimeout.accept(late);
    }
  }

  /** Ends all that stand here, the proxy stopping. */
  void stop() {
    Cleanup cleanup = new Cleanup(turn);
    cleanup.attempt(() -> ending.stopAll(begun));
    cleanup.attempt(() -> ending.stopAll(silent));
    cleanup.end();
  }
}
