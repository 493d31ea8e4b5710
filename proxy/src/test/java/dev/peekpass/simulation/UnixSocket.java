package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The sender's end of a UNIX connection, or its datagram socket. */
final class UnixSocket extends OpenFile {

  /** Where messages go. */
  interface Way {
    /** Takes a message; returns 0 or -errno. */
    int send(UnixSocket from, Parcel parcel);

    /** How many of its messages have not been received. */
    int unreceived(UnixSocket from);

    /** Receives a message; returns its length, 0 at the end, or -errno. */
    default int receive(UnixSocket from, byte[] into) {
      throw new Violation("the proxy reads where nothing comes");
    }

    /** What the sender's end looks like, EPOLL… bits. */
    int poll(UnixSocket from);

    /** The sender has closed its end. */
    void senderClosed(UnixSocket from);
  }

  private final int type;
  private @Nullable Way way;
  private String path = "";
  private boolean foundFull;
  private boolean excused;
  private int peerPid;
  private int peerUid = -1;
  private boolean barred;

  /** What the last message had that was sent over it. */
  private List<TcpConnection> lastSent = List.of();

  UnixSocket(int type) {
    this.type = type;
  }

  int type() {
    return type;
  }

  /** SO_PASSRIGHTS is off: nobody can send descriptors to it. */
  void barDescriptors() {
    barred = true;
  }

  /** Whether nobody can send descriptors to it: a datagram socket has no name to send to. */
  boolean isBarred() {
    return barred || type == Linux.SOCK_DGRAM;
  }

  /** Notes where it is connected to. */
  void to(String where) {
    path = where;
  }

  String path() {
    return path;
  }

  void connected(Way to) {
    way = to;
  }

  /** Notes which process listens there. */
  void peerPid(int pid) {
    peerPid = pid;
  }

  /** Notes whose process listens there. */
  void peerUid(int uid) {
    peerUid = uid;
  }

  /** Whose process listened where it is connected to; -1 for a datagram socket. */
  int peerUid() {
    return peerUid;
  }

  /** The process that listened where it is connected to; 0 when nobody has said. */
  int peerPid() {
    return peerPid;
  }

  /** The other end of a datagram socket has gone; the next message finds none. */
  void disconnected() {
    way = null;
  }

  List<TcpConnection> lastSent() {
    return lastSent;
  }

  int send(Parcel parcel) {
    lastSent = parcel.connections();
    Way to = way;
    int r = to == null ? -Errno.ENOTCONN : to.send(this, parcel);
    foundFull = r == -Errno.EAGAIN;
    return r;
  }

  /** How many of its messages have not been received. */
  int unreceived() {
    Way to = way;
    return to == null ? 0 : to.unreceived(this);
  }

  int receive(byte[] into) {
    Way from = way;
    return from == null ? -Errno.ENOTCONN : from.receive(this, into);
  }

  /** The process could not say what it wants to be told, and need not be told. */
  void excuse() {
    excused = true;
  }

  /** The process is told that it may send again. */
  void toldOfRoom() {
    foundFull = false;
  }

  /** Whether it was full, has room now, and no epoll is about to say so. */
  boolean isForgotten() {
    return foundFull && !excused && (poll() & Linux.EPOLLOUT) != 0 && !isListed();
  }

  @Override
  int poll() {
    Way to = way;
    if (to != null) {
      return to.poll(this);
    }
    return type != Linux.SOCK_DGRAM ? Linux.EPOLLOUT | Linux.EPOLLHUP : Linux.EPOLLOUT;
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
