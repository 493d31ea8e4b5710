package dev.peekpass.proxy.connection;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Connections in the order of their deadlines, which is the order they came in, because all that
 * stand in one queue are given the same time. Adding, removing and finding the earliest deadline
 * cost the same however long it is.
 */
public final class ConnectionQueue implements Container {
  private final Stage stage;
  private final Consumer<Connection> left;
  private @Nullable Connection head;
  private @Nullable Connection tail;
  private int size;

  /**
   * Makes an empty queue.
   *
   * @param stage of all that stand in it
   */
  public ConnectionQueue(Stage stage) {
    this(stage, connection -> {});
  }

  /**
   * Makes an empty queue.
   *
   * @param stage of all that stand in it
   * @param left is told of each that stands here no more, wherever it goes; throws nothing
   */
  public ConnectionQueue(Stage stage, Consumer<Connection> left) {
    this.stage = stage;
    this.left = left;
  }

  @Override
  public Stage stage() {
    return stage;
  }

  /**
   * Takes a connection in from wherever it stands, at the end.
   *
   * @param deadlineNanos when its time is up; not before that of those already here
   */
  public void add(Connection connection, long deadlineNanos) {
    connection.deadlineNanos = deadlineNanos;
    add(connection);
  }

  /** Takes a connection in from wherever it stands, at the end; its deadline stays its own. */
  public void add(Connection connection) {
    connection.moveTo(this);
    insert(connection, tail, null);
  }

  /**
   * Takes a connection in that stood here before, where its deadline says. Looks from the front,
   * where such ones belong.
   */
  public void putBack(Connection connection) {
    connection.moveTo(this);
    Connection after = head;
    while (after != null && after.deadlineNanos < connection.deadlineNanos) {
      after = after.next;
    }
    insert(connection, after == null ? tail : after.previous, after);
  }

  private void insert(
      Connection connection, @Nullable Connection before, @Nullable Connection after) {
    connection.previous = before;
    connection.next = after;
    if (before == null) {
      head = connection;
    } else {
      before.next = connection;
    }
    if (after == null) {
      tail = connection;
    } else {
      after.previous = connection;
    }
    size++;
  }

  @Override
  public void remove(Connection connection) {
    if (!connection.isIn(this)) {
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
    connection.next = null;
    connection.previous = null;
    size--;
    left.accept(connection);
  }

  /** The one with the earliest deadline, or null; it stays. */
  public @Nullable Connection first() {
    return head;
  }

  /** The one behind another that stands here, or null; both stay. */
  public @Nullable Connection after(Connection connection) {
    return connection.next;
  }

  /** The first one if its deadline has come, else null; it stays. */
  public @Nullable Connection firstExpired(long nowNanos) {
    Connection first = head;
    return first == null || first.deadlineNanos > nowNanos ? null : first;
  }

  /** The earliest deadline, or {@link Long#MAX_VALUE}. */
  public long nextDeadlineNanos() {
    Connection first = head;
    return first == null ? Long.MAX_VALUE : first.deadlineNanos;
  }

  /** How many stand here. */
  public int size() {
    return size;
  }

  /** Whether nobody stands here. */
  public boolean isEmpty() {
    return size == 0;
  }
}
