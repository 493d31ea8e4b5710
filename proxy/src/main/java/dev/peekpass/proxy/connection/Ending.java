package dev.peekpass.proxy.connection;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;

/**
 * The one end of every connection: its outcome is recorded once, its descriptor closed once. A
 * second time is a fault and throws.
 *
 * <pre>{@code
 * in a container ──record──> has its outcome, may linger ──release──> ended: closed, reused
 * }</pre>
 */
public final class Ending {
  private static final int LEVEL = Linux.EPOLLIN | Linux.EPOLLRDHUP;
  private static final int EDGE = LEVEL | Linux.EPOLLET;

  private final Turn turn;

  /** The end for connections of one loop. */
  public Ending(Turn turn) {
    this.turn = turn;
  }

  /**
   * Watches a connection for more bytes and for its end, edge-triggered: peeking leaves the bytes
   * in place, so that a level-triggered watch would report them for ever.
   *
   * @return false when the kernel refuses, for want of memory or by a limit
   */
  public boolean watch(Connection connection) {
    return connection.slot >= 0 || watch(connection, EDGE);
  }

  /**
   * Watches a connection whose bytes are read, level-triggered: what is left is reported again, and
   * others get their turn before.
   *
   * @return false when the kernel refuses, for want of memory or by a limit
   */
  public boolean watchUnread(Connection connection) {
    int slot = connection.slot;
    return slot >= 0 ? turn.clients().modify(slot, connection.fd, LEVEL) : watch(connection, LEVEL);
  }

  private boolean watch(Connection connection, int interest) {
    int slot = turn.clients().add(connection.fd, interest, connection);
    if (slot < 0) {
      turn.count(Counter.WATCH_REFUSED);
      turn.log().debug("epoll_ctl ADD: {}: a connection is given up", Errno.name(-slot));
      return false;
    }
    connection.slot = slot;
    return true;
  }

  /** Ends watching, which must come before the descriptor is passed or closed. */
  public void unwatch(Connection connection) {
    int slot = connection.slot;
    if (slot >= 0) {
      connection.slot = Connection.UNWATCHED;
      turn.clients().remove(slot, connection.fd);
    }
  }

  /** Records a connection's outcome and releases it, also when recording throws. */
  public void end(Connection connection, Outcome outcome) {
    try {
      record(connection, outcome);
    } finally {
      release(connection);
    }
  }

  /**
   * Ends a connection that was accepted and does not begin: counts it and closes it, unread, so
   * that the kernel resets one whose first bytes are there (RFC 2525 section 2.17). It has no line
   * in the access log, where a flood of such would drown all others.
   *
   * @param fd owned by the caller until now
   */
  public void turnAway(Fd fd, Outcome outcome) {
    turn.counters().count(outcome);
    turn.headroom().gave();
    try {
      turn.kernel().close(fd);
    } finally {
      turn.spare().restore();
    }
  }

  /** Counts and logs a connection's outcome; its descriptor stays open. */
  public void record(Connection connection, Outcome outcome) {
    connection.decide(outcome);
    turn.counters().count(outcome);
    AccessLog accessLog = connection.origin.accessLog();
    if (accessLog.isEnabled()) {
      long micros = (turn.clockNanos() - connection.acceptedNanos) / 1000;
      if (!accessLog.record(connection, outcome, micros)) {
        turn.count(Counter.ACCESS_LOG_DROPPED);
      }
    }
  }

  /** Takes a connection out of its container, closes its descriptor and gives the object back. */
  public void release(Connection connection) {
    connection.leave();
    turn.headroom().gave();
    try {
      unwatch(connection);
    } finally {
      try {
        close(connection);
        turn.spare().restore();
      } finally {
        connection.origin.recycle(connection);
      }
    }
  }

  /** Closes its descriptor, here or by another thread where that might wait. */
  private void close(Connection connection) {
    Holder holder = connection.holder();
    boolean here = false;
    try {
      here = holder == null || closesAtOnce(connection, holder);
    } finally {
      if (holder == null) {
        turn.kernel().close(connection.fd);
      } else if (here) {
        // What was interrupted before was another call.
        var _ = turn.pulse().takeInterrupted();
        turn.kernel().close(connection.fd);
        if (turn.pulse().takeInterrupted()) {
          holder.lingers();
        }
      } else {
        turn.count(Counter.CLOSED_ASIDE);
        holder.aside().close(connection.fd);
      }
    }
  }

  /**
   * Whether close(2) returns at once although a receiver has the same socket. It waits if ours is
   * the last descriptor and SO_LINGER is set. A receiver that is not trusted may set it, and close
   * its own, at any moment; one that is does so only in serving the connection.
   */
  private boolean closesAtOnce(Connection connection, Holder holder) {
    if (!holder.isTrusted()) {
      return false;
    }
    if (!holder.isToBeLookedAt()) {
      return true;
    }
    boolean lingers = turn.kernel().getLinger(connection.fd) != 0;
    if (lingers) {
      holder.lingers();
    }
    return !lingers;
  }

  /** Ends all that stand in a queue, as {@code stopped} unless they have their outcome. */
  public void stopAll(ConnectionQueue queue) {
    Cleanup cleanup = new Cleanup(turn);
    for (Connection c = queue.first(); c != null; c = queue.first()) {
      Connection stopped = c;
      cleanup.attempt(() -> {
        if (stopped.outcome() == null) {
          end(stopped, Outcome.STOPPED);
        } else {
          release(stopped);
        }
      });
      if (stopped.isIn(queue)) {
        // It cannot be ended: the rest is not held up by it for ever.
        break;
      }
    }
    cleanup.end();
  }

  /**
   * Ends a connection at which a fault was met, as {@code failed} unless it has its outcome; does
   * nothing if it has ended.
   */
  public void fail(Connection connection) {
    if (connection.hasEnded()) {
      return;
    }
    if (connection.outcome() == null) {
      end(connection, Outcome.FAILED);
    } else {
      release(connection);
    }
  }
}
