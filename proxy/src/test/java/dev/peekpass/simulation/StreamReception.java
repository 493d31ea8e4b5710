package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/** A receiver's listening stream socket, and the connections to it. */
final class StreamReception implements Receiver.Reception {

  /** One connection, seen from the receiver; until it is accepted it waits in the backlog. */
  private final class Channel implements UnixSocket.Way {
    private final UnixSocket sender;
    private final ArrayDeque<Parcel> queue = new ArrayDeque<>();
    private boolean senderClosed;
    private boolean closed;
    private boolean resetPending;

    Channel(UnixSocket sender) {
      this.sender = sender;
    }

    @Override
    public int send(UnixSocket from, Parcel parcel) {
      if (closed) {
        return -Errno.EPIPE;
      }
      if (queue.size() >= channelCapacity) {
        return -Errno.EAGAIN;
      }
      parcel.enter(path, receiver.uid());
      queue.add(parcel);
      receiver.onArrival();
      return 0;
    }

    @Override
    public int unreceived(UnixSocket from) {
      return queue.size();
    }

    /** As unix_writable: a sender is told of room once three quarters of it are free. */
    private boolean isWritable() {
      return queue.size() * 4 <= channelCapacity;
    }

    @Override
    public int poll(UnixSocket from) {
      int events = isWritable() ? Linux.EPOLLOUT : 0;
      if (closed) {
        events |= Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLHUP;
        if (resetPending) {
          events |= Linux.EPOLLERR;
        }
      }
      return events;
    }

    @Override
    public void senderClosed(UnixSocket from) {
      senderClosed = true;
      receiver.onArrival();
    }

    boolean isFinished() {
      return senderClosed && queue.isEmpty();
    }

    void close(boolean accepted) {
      resetPending = !accepted || !queue.isEmpty();
      closed = true;
      queue.forEach(Parcel::giveBack);
      queue.clear();
      if (!senderClosed) {
        receiver.onChannelEnded();
        sender.wake(0);
      }
    }
  }

  private final Receiver receiver;
  private final String path;
  private final int backlog;
  private final int channelCapacity;
  private final ArrayDeque<Channel> waiting = new ArrayDeque<>();
  private final List<Channel> accepted = new ArrayList<>();
  private boolean closed;

  StreamReception(Receiver receiver, String path, int backlog, int channelCapacity) {
    this.receiver = receiver;
    this.path = path;
    this.backlog = backlog;
    this.channelCapacity = channelCapacity;
  }

  @Override
  public int type() {
    return Linux.SOCK_STREAM;
  }

  @Override
  public boolean isClosed() {
    return closed;
  }

  @Override
  public int connect(UnixSocket sender) {
    if (waiting.size() > backlog) {
      return -Errno.EAGAIN;
    }
    Channel channel = new Channel(sender);
    sender.connected(channel);
    sender.peerUid(receiver.uid());
    waiting.add(channel);
    receiver.onArrival();
    return 0;
  }

  @Override
  public boolean receive() {
    Channel fresh = waiting.poll();
    if (fresh != null) {
      accepted.add(fresh);
      return true;
    }
    for (int i = 0; i < accepted.size(); i++) {
      Channel channel = accepted.get(i);
      Parcel parcel = channel.queue.poll();
      if (parcel != null) {
        if (channel.isWritable() && !channel.senderClosed) {
          channel.sender.wake(Linux.EPOLLOUT);
        }
        receiver.take(parcel);
        return true;
      }
      if (channel.isFinished()) {
        channel.close(true);
        accepted.remove(i);
        return true;
      }
    }
    return false;
  }

  @Override
  public boolean closeOneChannel() {
    if (accepted.isEmpty()) {
      return false;
    }
    accepted.removeFirst().close(true);
    return true;
  }

  @Override
  public void close() {
    closed = true;
    waiting.forEach(channel -> channel.close(false));
    waiting.clear();
    accepted.forEach(channel -> channel.close(true));
    accepted.clear();
  }
}
