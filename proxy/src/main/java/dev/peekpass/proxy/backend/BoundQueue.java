package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Holder;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * Connections that a receiver which is not trusted has had, and which only receivers of the same
 * user may have after it. They wait apart from the others, whom they must not hold up.
 */
final class BoundQueue {
  /** The same line is logged so often at most. */
  private static final long LOG_NANOS = 10_000_000_000L;

  private final Turn turn;
  private final Gathering gathering;
  private final Receivers receivers;
  private final String backend;
  private final ConnectionQueue queue = new ConnectionQueue(Stage.UNWATCHED);

  /** The next message, while it is being sent. */
  private final Batch one = new Batch(1);

  private long logWithheldNanos = Long.MIN_VALUE;

  /** Makes an empty one. */
  BoundQueue(Turn turn, Gathering gathering, Receivers receivers, String backend) {
    this.turn = turn;
    this.gathering = gathering;
    this.receivers = receivers;
    this.backend = backend;
  }

  /** Takes a connection in, where its deadline says. */
  void add(Connection connection) {
    queue.putBack(connection);
  }

  /** Whether a connection stands here. */
  boolean has(Connection connection) {
    return connection.isIn(queue);
  }

  /** Passes what receivers take that may have it, and puts aside what none of them may have. */
  void pump() {
    Holder inVain = null;
    for (Connection c = queue.first(), next; c != null; c = next) {
      next = queue.after(c);
      Holder had = c.holder();
      boolean again = inVain != null && had != null && inVain.uid() == had.uid();
      if (!again && !pass(c)) {
        inVain = had;
      }
    }
  }

  /** Returns whether it is dealt with. */
  private boolean pass(Connection connection) {
    Receivers.Bound became = Receivers.Bound.NOT_NOW;
    one.add(connection);
    try {
      became = receivers.passBound(one);
    } catch (RuntimeException e) {
      turn.fault("backend " + backend + ": no receiver could be chosen", e);
    } finally {
      one.clear();
    }
    if (became == Receivers.Bound.NOBODY_MAY) {
      turn.count(Counter.WITHHELD);
      connection.reason = "withheld: a receiver of another user may have kept it";
      logWithheld(connection);
      gathering.giveOn(connection);
    }
    return became != Receivers.Bound.NOT_NOW;
  }

  private void logWithheld(Connection connection) {
    Holder had = connection.holder();
    if (had != null && turn.nowNanos() >= logWithheldNanos) {
      logWithheldNanos = turn.nowNanos() + LOG_NANOS;
      turn.log()
          .warn(
              "backend {}: gets no connection that backend {} was given before: its receiver, of uid"
                  + " {}, may have kept it; if that one is yours, give backend {} trust: always",
              backend,
              had.backend(),
              had.uid(),
              had.backend());
    }
  }

  /** Puts all aside, for the next backend. */
  void giveOnAll() {
    for (Connection c = queue.first(); c != null; c = queue.first()) {
      gathering.giveOn(c);
    }
  }

  /** The first one if its deadline has come, else null; it stays. */
  @Nullable Connection firstExpired(long nowNanos) {
    return queue.firstExpired(nowNanos);
  }

  /** The earliest deadline, or {@link Long#MAX_VALUE}. */
  long nextDeadlineNanos() {
    return queue.nextDeadlineNanos();
  }

  int size() {
    return queue.size();
  }

  boolean isEmpty() {
    return queue.isEmpty();
  }

  /** Ends all. */
  void close(Ending ending) {
    ending.stopAll(queue);
  }
}
