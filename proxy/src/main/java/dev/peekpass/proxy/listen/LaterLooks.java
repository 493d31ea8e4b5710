package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * Connections whose heads come in many pieces. Each further look costs as much as all that is
 * there, so that after {@link #FREE_LOOKS} of them a connection is looked at once in {@link
 * #EVERY_NANOS}, however many pieces come meanwhile, and few of them in one turn.
 */
final class LaterLooks {
  /** An honest head is complete long before. */
  static final int FREE_LOOKS = 16;

  static final long EVERY_NANOS = 5_000_000;
  private static final int MOST_A_TURN = 32;

  private final Turn turn;
  private final Consumer<Connection> look;

  /** Some have ended since, or begun anew. As many as come in one such time, at most. */
  private final ArrayDeque<Connection> waiting = new ArrayDeque<>();

  /** How many of them are due. */
  private int due;

  private long nextNanos = Long.MAX_VALUE;

  /**
   * Makes one without a connection.
   *
   * @param look called for each whose time has come and that has not begun anew meanwhile; it may
   *     stand elsewhere by then
   */
  LaterLooks(Turn turn, Consumer<Connection> look) {
    this.turn = turn;
    this.look = look;
  }

  /** Whether a connection that has more bytes is to be looked at later. */
  boolean putsOff(Connection connection) {
    if (connection.looks < FREE_LOOKS) {
      return false;
    }
    if (!connection.looksLater) {
      connection.looksLater = true;
      waiting.add(connection);
      if (nextNanos == Long.MAX_VALUE) {
        nextNanos = turn.nowNanos() + EVERY_NANOS;
        turn.wakeBy(nextNanos);
      }
    }
    return true;
  }

  /** Looks at some of those that are due; returns when it is to be called next. */
  long run(long nowNanos) {
    if (due == 0 && nowNanos < nextNanos) {
      return nextNanos;
    }
    if (due == 0) {
      due = waiting.size();
      nextNanos = nowNanos + EVERY_NANOS;
    }
    for (int i = 0; i < MOST_A_TURN && due > 0; i++) {
      due--;
      Connection connection = waiting.remove();
      if (connection.looksLater) {
        connection.looksLater = false;
        look.accept(connection);
      }
    }
    if (due > 0) {
      return nowNanos;
    }
    if (waiting.isEmpty()) {
      nextNanos = Long.MAX_VALUE;
    }
    return nextNanos;
  }
}
