package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A receiver's datagram socket: one queue for all who send to it. */
final class DatagramReception implements Receiver.Reception, UnixSocket.Way {
  private final Receiver receiver;
  private final String path;
  private final int maxQueue;
  private final ArrayDeque<Parcel> queue = new ArrayDeque<>();

  /** Senders that found it full and are told when it is not (unix_dgram_peer_wake_me). */
  private final Set<UnixSocket> wantRoom = new LinkedHashSet<>();

  private final Set<UnixSocket> connected = new LinkedHashSet<>();

  private boolean closed;

  /**
   * Makes an open socket.
   *
   * @param maxQueue net.unix.max_dgram_qlen: one more than this fits
   */
  DatagramReception(Receiver receiver, String path, int maxQueue) {
    this.receiver = receiver;
    this.path = path;
    this.maxQueue = maxQueue;
  }

  @Override
  public int type() {
    return Linux.SOCK_DGRAM;
  }

  @Override
  public boolean isClosed() {
    return closed;
  }

  @Override
  public int connect(UnixSocket sender) {
    sender.connected(this);
    connected.add(sender);
    return 0;
  }

  private boolean isFull() {
    return queue.size() > maxQueue;
  }

  @Override
  public int send(UnixSocket from, Parcel parcel) {
    if (closed) {
      from.disconnected();
      return -Errno.ECONNREFUSED;
    }
    if (isFull()) {
      wantRoom.add(from);
      return -Errno.EAGAIN;
    }
    parcel.enter(path, -1);
    queue.add(parcel);
    receiver.onArrival();
    return 0;
  }

  /** The one process under test has sent them all. */
  @Override
  public int unreceived(UnixSocket from) {
    return queue.size();
  }

  @Override
  public int poll(UnixSocket from) {
    if (!closed && isFull()) {
      wantRoom.add(from);
      return 0;
    }
    return Linux.EPOLLOUT;
  }

  @Override
  public void senderClosed(UnixSocket from) {
    connected.remove(from);
    wantRoom.remove(from);
  }

  @Override
  public boolean receive() {
    Parcel parcel = queue.poll();
    if (parcel == null) {
      return false;
    }
    wakeSenders();
    receiver.take(parcel);
    return true;
  }

  private void wakeSenders() {
    List<UnixSocket> woken = List.copyOf(wantRoom);
    wantRoom.clear();
    woken.forEach(sender -> sender.wake(Linux.EPOLLOUT));
  }

  @Override
  public boolean closeOneChannel() {
    return false;
  }

  @Override
  public void close() {
    closed = true;
    connected.forEach(sender -> receiver.onChannelEnded());
    queue.forEach(Parcel::lose);
    queue.clear();
    wakeSenders();
  }
}
