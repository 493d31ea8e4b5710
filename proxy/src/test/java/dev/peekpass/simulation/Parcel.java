package dev.peekpass.simulation;

import java.util.List;

/**
 * A message with descriptors in a UNIX socket's queue: it refers to what they stand for, so that
 * nothing of it ends while it is on its way.
 */
record Parcel(List<TcpConnection> connections) {

  Parcel {
    connections = List.copyOf(connections);
  }

  /** It enters the queue of the socket at a path. */
  void enter(String path) {
    for (TcpConnection connection : connections) {
      connection.retain();
      connection.passed(path);
    }
  }

  /** Nobody will ever receive it. */
  void lose() {
    connections.forEach(TcpConnection::drop);
  }
}
