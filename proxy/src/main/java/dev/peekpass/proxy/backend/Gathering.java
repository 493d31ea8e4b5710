package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.turn.Turn;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What leaves at the end of a loop's turn: messages that are not full yet, and connections whose
 * backend takes them not. The latter are put aside here while backends are emptied, and given on
 * afterwards, so that nothing comes back to a backend that is being emptied.
 */
public final class Gathering {
  private static final int FEW = 16;

  private final Turn turn;
  private final Ending ending;

  /** Backends with a message that is not full, each once. */
  private @Nullable Backend[] unfinished = new @Nullable Backend[FEW];

  private int unfinishedCount;

  private final ConnectionQueue onward = new ConnectionQueue(Stage.UNWATCHED);

  /** Whether a backend may send several connections together. */
  private boolean together;

  /** Makes one with nothing in it. */
  public Gathering(Turn turn, Ending ending) {
    this.turn = turn;
    this.ending = ending;
  }

  /** Says whether backends send several connections together, as far as is known. */
  public void together(boolean are) {
    together = are;
  }

  /**
   * What a connection spares that is taken in the same turn as another, in calls: a wait, and a
   * message, its reading and its acknowledgement where they go together, which costs far more.
   */
  public int callsAnotherSpares() {
    return together ? 8 : 1;
  }

  /** Ends the turn of a backend before the loop waits again. Asked once a turn by each. */
  void flushLater(Backend backend) {
    if (unfinishedCount == unfinished.length) {
      unfinished = Arrays.copyOf(unfinished, 2 * unfinishedCount);
    }
    unfinished[unfinishedCount++] = backend;
    together = true;
  }

  /** Puts a connection aside whose backend takes it not. */
  void giveOn(Connection connection) {
    onward.add(connection);
  }

  /**
   * Sends every message that is being gathered, however few connections it has, and gives on what
   * no receiver took.
   *
   * @return whether there was any
   */
  public boolean flush() {
    boolean any = unfinishedCount > 0 || !onward.isEmpty();
    while (unfinishedCount > 0 || !onward.isEmpty()) {
      while (unfinishedCount > 0) {
        Backend backend = unfinished[--unfinishedCount];
        unfinished[unfinishedCount] = null;
        if (backend != null) {
          backend.endTurn();
        }
      }
      // All that stand here now, before they leave: so they gather where they come to.
      for (int left = onward.size(); left > 0; left--) {
        Connection first = onward.first();
        if (first != null) {
          giveOnNow(first);
        }
      }
    }
    return any;
  }

  private void giveOnNow(Connection connection) {
    try {
      connection.origin.onNotTaken(connection);
    } catch (RuntimeException e) {
      turn.fault("a connection could not be given on", e);
      if (connection.isIn(onward)) {
        turn.contain(() -> ending.fail(connection));
      }
    }
  }

  /** Whether no connection is here. */
  public boolean isIdle() {
    return onward.isEmpty();
  }

  /** Ends what is here, the loop having ended. */
  public void close() {
    ending.stopAll(onward);
  }
}
