package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import org.jspecify.annotations.Nullable;

/** The sender's end of a UNIX connection, or its datagram socket. */
final class UnixSocket extends OpenFile {

  /** Where messages go. */
  interface Way {
    /** Takes a message; returns 0 or -errno. */
    int send(UnixSocket from, Parcel parcel);

    /** What the sender's end looks like, EPOLL… bits. */
    int poll(UnixSocket from);

    /** The sender has closed its end. */
    void senderClosed(UnixSocket from);
  }

  private final int type;
  private @Nullable Way way;

  UnixSocket(int type) {
    this.type = type;
  }

  int type() {
    return type;
  }

  void connected(Way to) {
    way = to;
  }

  /** The other end of a datagram socket has gone; the next message finds none. */
  void disconnected() {
    way = null;
  }

  int send(Parcel parcel) {
    Way to = way;
    return to == null ? -Errno.ENOTCONN : to.send(this, parcel);
  }

  @Override
  int poll() {
    Way to = way;
    if (to != null) {
      return to.poll(this);
    }
    return type == Linux.SOCK_STREAM ? Linux.EPOLLOUT | Linux.EPOLLHUP : Linux.EPOLLOUT;
  }

  @Override
  void released() {
    Way to = way;
    if (to != null) {
      to.senderClosed(this);
    }
  }

  @Override
  public String toString() {
    return "unix-" + UnixPaths.name(type);
  }
}
