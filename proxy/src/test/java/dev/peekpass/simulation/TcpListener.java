package dev.peekpass.simulation;

import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** A listening TCP socket with its accept queue. Until it listens it is any TCP socket. */
public final class TcpListener extends OpenFile {
  private final ArrayDeque<TcpConnection> queue = new ArrayDeque<>();
  private int backlog;
  private boolean listening;
  private boolean deferring;
  private boolean gone;
  private int port;

  void bind(int toPort) {
    port = toPort;
  }

  int port() {
    return port;
  }

  void defer(boolean on) {
    deferring = on;
  }

  /** Whether it keeps silent clients to itself for a while (TCP_DEFER_ACCEPT, tcp(7)). */
  boolean isDeferring() {
    return deferring;
  }

  void listen(int length) {
    backlog = length;
    listening = true;
  }

  boolean isListening() {
    return listening && !gone;
  }

  /** Whether a SYN is dropped: as in tcp(7), one more than the backlog fits. */
  boolean isFull() {
    return queue.size() > backlog;
  }

  void enqueue(TcpConnection connection) {
    queue.add(connection);
    wake(Linux.EPOLLIN);
  }

  @Nullable TcpConnection next() {
    return queue.poll();
  }

  /** Tells how many wait; from then on they must not be lost, unless {@link #excuse}d. */
  int announce() {
    queue.forEach(TcpConnection::announce);
    return queue.size();
  }

  /** How many are queued of which the process was told. */
  int announcedAndQueued() {
    int count = 0;
    for (TcpConnection connection : queue) {
      if (connection.isAnnounced()) {
        count++;
      }
    }
    return count;
  }

  /** There is nothing to accept them with, so that they may be lost. */
  void excuse() {
    queue.forEach(TcpConnection::excuse);
  }

  @Override
  int poll() {
    return queue.isEmpty() ? 0 : Linux.EPOLLIN;
  }

  @Override
  void released() {
    gone = true;
    queue.clear();
  }

  @Override
  public String toString() {
    return "listener:" + port;
  }
}
