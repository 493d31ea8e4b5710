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
   * Has each taken out, the newest first: so those that are put back come to stand in their old
   * order. Whatever is thrown about one, it is done with the others.
   */
  void takeOut(Turn turn, Consumer<Connection> takesOut) {
    for (int i = size - 1; i >= 0; i--) {
      Connection connection = connections[i];
      if (connection != null) {
        try {
          takesOut.accept(connection);
        } catch (RuntimeException e) {
          turn.fault("a connection of a first message could not be dealt with", e);
        }
      }
    }
  }

  /** Whether nobody stands here. */
  boolean isEmpty() {
    return size == 0;
  }
}
