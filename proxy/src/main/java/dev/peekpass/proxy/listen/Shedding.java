package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * Gives incomplete connections up for others, where a limit is met: the oldest of the client that
 * has most. So whoever fills a limit gives up his own, and others have what is left.
 */
final class Shedding {
  private final Turn turn;
  private final Ending ending;
  private final Clients clients;
  private final Pending pending;
  private final int maxPending;
  private final String label;

  Shedding(
      Turn turn, Ending ending, Clients clients, Pending pending, int maxPending, String label) {
    this.turn = turn;
    this.ending = ending;
    this.clients = clients;
    this.pending = pending;
    this.maxPending = maxPending;
    this.label = label;
  }

  /** Makes room for an incomplete connection, if as many are pending as may be. */
  void makeRoomFor(Connection comes) {
    if (pending.sizeOfSocket() < maxPending) {
      return;
    }
    Connection other = pending.toGiveUpFor(comes);
    if (other != null) {
      turn.count(Counter.MAX_PENDING_REACHED);
      log(other);
      shed(other);
    }
  }

  /**
   * Gives up the oldest incomplete connection of the client that has most of any socket's; where
   * all have one, the oldest of all sockets: descriptors are the loop's, and a socket with none
   * must not go without.
   *
   * @return whether there was one
   */
  boolean shedOldest() {
    return shedOfHeaviest() || shedIfAny(clients.oldest());
  }

  /** The same, only if a client has more than one, over all listening sockets. */
  boolean shedOfHeaviest() {
    return shedIfAny(clients.oldestOfHeaviest());
  }

  private boolean shedIfAny(@Nullable Connection other) {
    if (other == null) {
      return false;
    }
    shed(other);
    return true;
  }

  private void log(Connection other) {
    ClientCounts counts = pending.counts();
    if (counts.takeLine(turn.nowNanos())) {
      turn.log()
          .warn(
              "listener {}: max-pending ({}) is reached: giving up the oldest incomplete connections"
                  + " of the clients that have most, now of {}, which has {}",
              label,
              maxPending,
              new IpAddress(other.peerHigh, other.peerLow),
              counts.of(other.peerHigh, other.peerLow));
    }
  }

  /** Gives one up on behalf of another, whom a fault here is nothing to. */
  private void shed(Connection connection) {
    try {
      ending.end(connection, Outcome.SHED);
    } catch (RuntimeException e) {
      turn.fault("listener " + label + ": a connection could not be given up", e);
      turn.contain(() -> ending.fail(connection));
    }
  }
}
