package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Container;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.turn.Turn;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The connections of the first message over a new UNIX connection, until the receiver has received
 * it or has closed: one that lets the proxy not in closes with the message unread, and nobody has
 * had them then.
 */
final class Proving implements Container {
  private final @Nullable Connection[] connections;
  private int size;

  /**
   * Makes an empty one.
   *
   * @param most how many connections a message has
   */
  Proving(int most) {
    connections = new @Nullable Connection[most];
  }

  @Override
  public Stage stage() {
    return Stage.UNWATCHED;
  }

  /** Takes a connection in that has just been sent. */
  void put(Connection connection) {
    connection.moveTo(this);
    connections[size++] = connection;
  }

  @Override
  public void remove(Connection connection) {
    for (int i = size - 1; i >= 0; i--) {
      if (connections[i] == connection) {
        size--;
        System.arraycopy(connections, i + 1, connections, i, size - i);
        connections[size] = null;
        return;
      }
    }
    throw new IllegalStateException("the connection does not stand here");
  }

  /**
   * Ends each, in the order in which they came. Whatever is thrown about one, it ends the others.
   */
  void end(Turn turn, Consumer<Connection> ends) {
    for (Connection c = connections[0]; c != null; c = connections[0]) {
      takeOut(turn, c, ends);
      if (c.isIn(this)) {
        return;
      }
    }
  }

  /**
   * Gives each back, the newest first, each before the one that came back last: so they stand in
   * their old order. Whatever is thrown about one, it gives the others back.
   */
  void giveBack(Turn turn, Consumer<Connection> takesBack) {
    for (int i = size - 1; i >= 0; i--) {
      Connection connection = connections[i];
      if (connection != null) {
        takeOut(turn, connection, takesBack);
      }
    }
  }

  private static void takeOut(Turn turn, Connection connection, Consumer<Connection> how) {
    try {
      how.accept(connection);
    } catch (RuntimeException e) {
      turn.fault("a connection of a first message could not be dealt with", e);
    }
  }

  /** Whether nobody stands here. */
  boolean isEmpty() {
    return size == 0;
  }
}
