package dev.peekpass.simulation;

import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** A listening TCP socket with its accept queue. Until it listens it is any TCP socket. */
public final class TcpListener extends OpenFile {
  /** Longer than a connection that has begun takes to come to the queue. */
  private static final long BEGUN_NANOS = 2_000_000_000L;

  private final ArrayDeque<TcpConnection> queue = new ArrayDeque<>();
  private int backlog;
  private boolean listening;
  private boolean deferring;
  private boolean gone;
  private boolean shared;
  private boolean filtered;
  private long filteredNanos;
  private boolean excused;
  private int heldBack;
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
    excused = false;
    connection.inheritFilter(filtered);
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

  /** Attaches a filter that drops SYNs, or detaches it; returns whether there was one. */
  boolean filter(boolean on, long nowNanos) {
    boolean was = filtered;
    filtered = on;
    filteredNanos = nowNanos;
    return was;
  }

  /** Whether a filter drops SYNs. */
  boolean isFiltered() {
    return filtered;
  }

  /** Whether another process has it, and it drops SYNs. */
  boolean isLeftFiltered() {
    return shared && filtered;
  }

  /** The kernel keeps so many more connections to itself for a while, or fewer. */
  void holdBack(int more) {
    heldBack += more;
  }

  /** Another process has it as well: the accept queue lives on with it. */
  public void share() {
    shared = true;
    retain();
  }

  /** Whether it is this process's alone, open, and no epoll watches it: nobody comes in then. */
  public boolean isDeaf() {
    return !shared && !gone && !isWatched();
  }

  /**
   * How many connections would be lost if it were closed now: those that are queued and of which
   * the process was told; and where it has let no new ones begin for long enough, all that have
   * begun.
   */
  int wouldLose(long nowNanos) {
    boolean all = filtered && nowNanos >= filteredNanos + BEGUN_NANOS;
    int count = all ? heldBack : 0;
    for (TcpConnection connection : queue) {
      if (connection.isAnnounced() || (all && !excused)) {
        count++;
      }
    }
    return count;
  }

  /** There is nothing to accept them with, so that they may be lost. */
  void excuse() {
    excused = true;
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
