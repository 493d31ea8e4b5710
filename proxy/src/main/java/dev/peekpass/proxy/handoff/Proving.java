package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Container;
import dev.peekpass.proxy.connection.Stage;
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

  /** The one that was put last, or null; it stays. */
  @Nullable Connection last() {
    return size == 0 ? null : connections[size - 1];
  }

  /** The one that was put first, or null; it stays. */
  @Nullable Connection first() {
    return connections[0];
  }

  /** Whether nobody stands here. */
  boolean isEmpty() {
    return size == 0;
  }
}
