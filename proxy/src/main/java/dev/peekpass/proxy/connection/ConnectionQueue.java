package dev.peekpass.proxy.connection;

import org.jspecify.annotations.Nullable;

/**
 * Connections in the order of their deadlines, which is the order they came in, because all that
 * stand in one queue are given the same time. Adding, removing and finding the earliest deadline
 * cost the same however long it is. A connection stands in one queue at most.
 */
public final class ConnectionQueue {
  private @Nullable Connection head;
  private @Nullable Connection tail;
  private int size;

  /**
   * Adds at the end.
   *
   * @param deadlineNanos when its time is up; not before that of those already here
   */
  public void add(Connection connection, long deadlineNanos) {
    if (connection.queue != null) {
      throw new IllegalStateException("a connection stands in one queue at a time");
    }
    connection.queue = this;
    connection.deadlineNanos = deadlineNanos;
    connection.next = null;
    Connection last = tail;
    connection.previous = last;
    if (last == null) {
      head = connection;
    } else {
      last.next = connection;
    }
    tail = connection;
    size++;
  }

  /**
   * Puts a connection back that stood here before, where its deadline says. Looks from the front,
   * where such ones belong.
   *
   * @param deadlineNanos as before
   */
  public void putBack(Connection connection, long deadlineNanos) {
    Connection after = head;
    while (after != null && after.deadlineNanos < deadlineNanos) {
      after = after.next;
    }
    if (after == null) {
      add(connection, deadlineNanos);
      return;
    }
    if (connection.queue != null) {
      throw new IllegalStateException("a connection stands in one queue at a time");
    }
    Connection before = after.previous;
    connection.queue = this;
    connection.deadlineNanos = deadlineNanos;
    connection.next = after;
    connection.previous = before;
    after.previous = connection;
    if (before == null) {
      head = connection;
    } else {
      before.next = connection;
    }
    size++;
  }

  /** Takes a connection out that stands here. */
  public void remove(Connection connection) {
    if (connection.queue != this) {
      throw new IllegalStateException("the connection does not stand in this queue");
    }
    Connection before = connection.previous;
    Connection after = connection.next;
    if (before == null) {
      head = after;
    } else {
      before.next = after;
    }
    if (after == null) {
      tail = before;
    } else {
      after.previous = before;
    }
    connection.queue = null;
    connection.next = null;
    connection.previous = null;
    size--;
  }

  /** The one with the earliest deadline, or null; it stays. */
  public @Nullable Connection first() {
    return head;
  }

  /** Takes out the first one if its deadline has come, else returns null. */
  public @Nullable Connection pollExpired(long nowNanos) {
    Connection first = head;
    if (first == null || first.deadlineNanos > nowNanos) {
      return null;
    }
    remove(first);
    return first;
  }

  /** The earliest deadline, or {@link Long#MAX_VALUE}. */
  public long nextDeadlineNanos() {
    Connection first = head;
    return first == null ? Long.MAX_VALUE : first.deadlineNanos;
  }

  public int size() {
    return size;
  }

  public boolean isEmpty() {
    return size == 0;
  }
}
