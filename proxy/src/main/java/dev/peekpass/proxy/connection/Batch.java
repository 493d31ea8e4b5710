package dev.peekpass.proxy.connection;

import org.jspecify.annotations.Nullable;

/**
 * What is to go into one message, in the order it came, as many as a backend takes at once. It
 * refers to connections, which go on standing in their container until they are passed; it is empty
 * whenever nothing is being sent.
 */
public final class Batch {
  private final @Nullable Connection[] connections;
  private int from;
  private int to;

  /**
   * Makes an empty batch.
   *
   * @param capacity 1 to 253, the backend's {@code batch}
   */
  public Batch(int capacity) {
    connections = new @Nullable Connection[capacity];
  }

  /** Adds one at the end; it must not be full. */
  public void add(Connection connection) {
    connections[to++] = connection;
  }

  /** One of them, by its place from 0. */
  public Connection get(int index) {
    Connection connection = connections[from + index];
    if (connection == null) {
      throw new IndexOutOfBoundsException(index);
    }
    return connection;
  }

  /** Takes the first out. Room for another comes with the last. */
  public void removeFirst() {
    connections[from++] = null;
    if (from == to) {
      from = 0;
      to = 0;
    }
  }

  public void clear() {
    while (!isEmpty()) {
      removeFirst();
    }
  }

  public int capacity() {
    return connections.length;
  }

  public int size() {
    return to - from;
  }

  public boolean isEmpty() {
    return from == to;
  }

  public boolean isFull() {
    return to == connections.length;
  }
}
