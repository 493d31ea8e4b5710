package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Container;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * The connections that a receiver was offered over one UNIX connection and has not acknowledged.
 *
 * <pre>{@code
 *           put             settleUpTo
 * waiting ──────> offered ─────────────> ended: passed
 *    ^              │ │ │ its receiver is gone, or gave it back
 *    │ revoked      │ │ └──────────> untouched? ─yes─> waiting
 *    └──────────────┘ │                  │no
 *                     │ claimed, and no  └──────────> ended: lost
 *                     │ ACK in all the time
 *                     └──────────────────────────────> ended: passed, in doubt
 * }</pre>
 *
 * <p>They are numbered from 0: {@code settled} ≤ all that stand here &lt; {@code next} ≤ {@code
 * granted}.
 */
final class Offers implements Container {
  /** The most that are offered and not settled, whatever the receiver grants. A power of two. */
  static final int MOST = 1024;

  private final Turn turn;
  private final Ending ending;
  private final Passing backend;
  private final Channel channel;
  private final Untouched untouched;
  private final long ackTimeoutNanos;

  /** By number; null where it was settled or taken back. */
  private final @Nullable Connection[] ring = new @Nullable Connection[MOST];

  private int held;
  private @Nullable Claims claims;
  private long settled;
  private long next;
  private long granted;

  /** Overdue while not all below this are settled. */
  private long answersDue;

  Offers(Turn turn, Ending ending, Passing backend, Channel channel, long ackTimeoutNanos) {
    this.turn = turn;
    this.ending = ending;
    this.backend = backend;
    this.channel = channel;
    this.ackTimeoutNanos = ackTimeoutNanos;
    untouched = new Untouched(turn.kernel());
  }

  @Override
  public Stage stage() {
    return Stage.UNWATCHED;
  }

  @Override
  public void remove(Connection connection) {
    int at = index(connection.offerNumber);
    if (ring[at] != connection) {
      throw new IllegalStateException("the connection is not offered here");
    }
    ring[at] = null;
    held--;
  }

  private static int index(long number) {
    return (int) (number & MOST - 1);
  }

  /** By what receivers claim from now on, owned; null when nothing can be revoked. */
  void claims(@Nullable Claims page) {
    claims = page;
  }

  /** The receiver takes so many in all, which never becomes less. */
  void grant(long connections) {
    granted = Math.max(granted, connections);
  }

  /** The number of the next one. */
  long next() {
    return next;
  }

  /** How many it has settled. */
  long settled() {
    return settled;
  }

  /** How many more may be offered now; 0 or less for none. */
  long room() {
    return Math.min(granted - next, MOST - (next - settled));
  }

  /** How many may be unsettled at a time. */
  long window() {
    return Math.min(granted - settled, MOST);
  }

  /** How many are not settled, those that were taken back too. */
  long unsettled() {
    return next - settled;
  }

  /** How many stand here. */
  int held() {
    return held;
  }

  /** Whether the receiver owes answers that did not come in time. */
  boolean isOverdue() {
    return settled < answersDue;
  }

  /** Lays one open to be claimed that is about to be sent. */
  void layOpen(long number) {
    if (claims != null) {
      claims.offer(number);
    }
  }

  /** Takes a connection in that has just been sent, with the next number. */
  void put(Connection connection) {
    connection.moveTo(this);
    connection.offerNumber = next;
    connection.offeredNanos = turn.nowNanos();
    ring[index(next)] = connection;
    next++;
    held++;
    turn.wakeBy(connection.offeredNanos + ackTimeoutNanos);
  }

  /**
   * Settles what the receiver has acknowledged.
   *
   * @param upTo all below this, from {@link #settled} to {@link #next}
   */
  void settleUpTo(long upTo) {
    while (settled < upTo) {
      Connection connection = ring[index(settled)];
      settled++;
      if (connection != null) {
        channel.endPassed(connection);
      }
    }
  }

  /** The receiver gives one back. */
  void refused(long number) {
    Connection connection = ring[index(number)];
    if (connection == null) {
      return;
    }
    if (connection.isBound()) {
      // It goes to receivers of the same user only, whose word that is.
      revoke(number);
      backend.takeBack(connection);
    } else {
      giveBack(connection, true);
    }
  }

  private boolean revoke(long number) {
    return claims != null && claims.revoke(number);
  }

  /**
   * Empties it, its receiver having gone or been given up.
   *
   * @param letGo whether the receiver has none of its connections any more, even if it had claimed
   *     them
   */
  void giveAllBack(boolean letGo) {
    // Newest first, each before the one that came back last: so they stand in their old order.
    for (long number = next - 1; number >= settled; number--) {
      Connection connection = ring[index(number)];
      if (connection != null) {
        giveBackOrFail(connection, letGo);
      }
    }
    reset();
  }

  /** Whatever is thrown, it stands here no more, and the others are given back. */
  private void giveBackOrFail(Connection connection, boolean letGo) {
    try {
      giveBack(connection, letGo);
    } catch (RuntimeException e) {
      turn.fault("a connection could not be taken back", e);
      turn.contain(() -> {
        if (connection.isIn(this)) {
          ending.fail(connection);
        }
      });
    }
  }

  private void giveBack(Connection connection, boolean letGo) {
    if (revoke(connection.offerNumber)) {
      backend.takeBack(connection);
    } else if (!letGo) {
      // It may be working on it at this moment.
      turn.count(Counter.ACK_IN_DOUBT);
      channel.endPassed(connection);
    } else if (connection.isBound()) {
      // Its receiver may hold the socket's lock, for which every look would wait.
      ending.end(connection, Outcome.LOST);
    } else {
      switch (untouched.look(connection.fd)) {
        case UNTOUCHED -> backend.takeBack(connection);
        case TOUCHED -> ending.end(connection, Outcome.LOST);
        case RESET -> ending.end(connection, Outcome.RESET);
      }
    }
  }

  /** Leaves all to the receiver, which claims them as ever, and empties it. */
  void leaveAll() {
    Cleanup cleanup = new Cleanup(turn);
    for (long number = settled; number < next; number++) {
      Connection connection = ring[index(number)];
      if (connection != null) {
        cleanup.attempt(() -> channel.endPassed(connection));
      }
    }
    cleanup.attempt(this::reset);
    cleanup.end();
  }

  private void reset() {
    Claims page = claims;
    claims = null;
    settled = 0;
    next = 0;
    granted = 0;
    answersDue = 0;
    if (page != null) {
      page.close();
    }
  }

  /**
   * Takes back what is not acknowledged in time, where that can be; {@link #isOverdue} tells
   * whether there was any.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  long runTimers(long nowNanos) {
    long due = Long.MAX_VALUE;
    long late = settled;
    while (late < next) {
      Connection connection = ring[index(late)];
      if (connection != null && connection.offeredNanos + ackTimeoutNanos > nowNanos) {
        due = connection.offeredNanos + ackTimeoutNanos;
        break;
      }
      late++;
    }
    for (long number = late - 1; number >= settled; number--) {
      Connection connection = ring[index(number)];
      if (connection != null) {
        due = Math.min(due, overdue(connection, nowNanos));
      }
    }
    return due;
  }

  /** Deals with one that was not acknowledged in time; returns when to look again. */
  private long overdue(Connection connection, long nowNanos) {
    answersDue = next;
    if (revoke(connection.offerNumber)) {
      backend.takeBack(connection);
      return Long.MAX_VALUE;
    }
    if (connection.deadlineNanos > nowNanos) {
      return connection.deadlineNanos;
    }
    // It has claimed it, or cannot give it back: it is the receiver's, and its alone from now on.
    turn.count(Counter.ACK_IN_DOUBT);
    channel.endPassed(connection);
    return Long.MAX_VALUE;
  }
}
