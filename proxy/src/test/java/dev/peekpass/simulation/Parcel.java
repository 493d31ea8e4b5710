package dev.peekpass.simulation;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A message with descriptors in a UNIX socket's queue: it refers to what they stand for, so that
 * nothing of it ends while it is on its way.
 *
 * @param bytes its data, little-endian and read-only
 * @param page the memory that comes with it, or null
 */
record Parcel(ByteBuffer bytes, List<TcpConnection> connections, @Nullable Memory page) {

  Parcel {
    bytes = bytes.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    connections = List.copyOf(connections);
  }

  /**
   * It enters the queue of the socket at a path, for good: by one of the plain methods.
   *
   * @param uid whose the receiver is known to be, or -1
   */
  void enter(String path, int uid) {
    ride();
    for (TcpConnection connection : connections) {
      connection.passed(path, uid);
    }
  }

  /** It enters a queue. */
  void ride() {
    connections.forEach(TcpConnection::retain);
    Memory shared = page;
    if (shared != null) {
      shared.retain();
    }
  }

  /**
   * Its receiver has closed with it unread: nobody has had its connections, and the sender knows.
   */
  void giveBack() {
    connections.forEach(TcpConnection::returned);
    lose();
  }

  /** Nobody will ever receive it. */
  void lose() {
    connections.forEach(TcpConnection::drop);
    Memory shared = page;
    if (shared != null) {
      shared.drop();
    }
  }
}
