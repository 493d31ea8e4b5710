package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.SockAddr;

/**
 * The way to one UNIX socket of a backend, for one loop. A subclass a hand-off method.
 *
 * <p>{@link #pass} sends duplicates of descriptors; the caller goes on owning its own and gives
 * those, and only those, that the answer counts to {@link #passed}.
 */
abstract class Channel {

  /** The byte beside a descriptor. Receivers ignore its value (docs/protocol.md). */
  private static final byte PAYLOAD = 'P';

  final Loop loop;
  final Kernel kernel;
  final Backend backend;
  final String path;
  private final SockAddr address = new SockAddr();
  private final Message message;

  /** The most descriptors that went into a message so far as is known: the backend's batch. */
  private int mostAtOnce;

  /** Whether the last attempt found it down: only the change is logged. */
  private boolean down;

  Channel(Loop loop, Backend backend, String path) {
    this.loop = loop;
    this.kernel = loop.kernel();
    this.backend = backend;
    this.path = path;
    address.unix(path);
    mostAtOnce = backend.batch();
    message = new Message(1, mostAtOnce);
    message.payload().put(0, PAYLOAD);
  }

  /**
   * Passes connections to the receiver in one message: all, or as many of the first as go into it.
   *
   * @param batch not empty; borrowed and left as it is. The caller gives the passed ones to {@link
   *     #passed} and still has the others
   * @return how many of the first are in the receiver's queue; 0 when it is full or nobody is
   *     there: try again when told so, or a little later
   */
  abstract int pass(Batch batch);

  /** How the way is, as far as is known without trying. */
  ChannelState state() {
    return down ? ChannelState.DOWN : ChannelState.IDLE;
  }

  /**
   * Takes over a connection that {@link #pass} has just passed, in their order: ends it, or keeps
   * it until the receiver has acknowledged it.
   */
  void passed(Connection connection) {
    backend.endPassed(connection);
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  long runTimers(long nowNanos) {
    return Long.MAX_VALUE;
  }

  /** Whether it keeps no connection. */
  boolean isIdle() {
    return true;
  }

  /** Closes whatever it holds. */
  abstract void close();

  /**
   * Opens a socket and connects it to the path.
   *
   * @param type SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
   * @return a connected, non-blocking socket that the caller owns; or -errno, with nothing left
   *     open
   */
  final int connect(int type) {
    int flags = Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(Linux.AF_UNIX, type | flags, 0);
    if ((r == -Errno.EMFILE || r == -Errno.ENFILE) && loop.reserve().lend()) {
      // What is passed over this socket frees a descriptor.
      r = kernel.socket(Linux.AF_UNIX, type | flags, 0);
    }
    if (r < 0) {
      return r;
    }
    Fd socket = Fd.of(r);
    int c;
    do {
      c = kernel.connect(socket, address);
    } while (c == -Errno.EINTR);
    if (c < 0) {
      closeSocket(socket);
      return c;
    }
    mostAtOnce = backend.batch();
    loop.counters().count(Counter.CHANNEL_OPENED);
    return r;
  }

  /** Closes a socket of {@link #connect}, which may have taken the reserve's place. */
  final void closeSocket(Fd socket) {
    kernel.close(socket);
    loop.reserve().restore();
  }

  /**
   * Sends one message with the first connections of a batch.
   *
   * @return how many went into it, or -errno
   */
  final int send(Fd socket, Batch batch) {
    int count = Math.min(batch.size(), mostAtOnce);
    int r = send(socket, batch, count);
    int tooMany = 0;
    // Ends with a message of one at the latest, whatever the kernel says.
    while (r < 0 && count > 1 && mayTakeFewer(-r)) {
      tooMany = -r;
      count /= 2;
      r = send(socket, batch, count);
    }
    if (r < 0) {
      return r;
    }
    if (tooMany != 0) {
      mostAtOnce = count;
      loop.log()
          .warn(
              "backend {}: unix:{} takes {} descriptors in a message and no more: sendmsg: {}:"
                  + " lower the backend's batch",
              backend.name(),
              path,
              count,
              Errno.name(tooMany));
    }
    loop.counters().count(Counter.MESSAGES_SENT);
    return count;
  }

  private int send(Fd socket, Batch batch, int count) {
    message.beginSend(1);
    for (int i = 0; i < count; i++) {
      message.add(batch.get(i).fd);
    }
    int r;
    do {
      r = kernel.sendmsg(socket, message, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    } while (r == -Errno.EINTR);
    return r;
  }

  /**
   * Whether a failed sendmsg may succeed with fewer descriptors: more than this kernel allows in a
   * message, or ancillary data larger than net.core.optmem_max (ENOBUFS). Not so EAGAIN, since the
   * queue counts messages, nor ETOOMANYREFS, which looks at what is in flight already (unix(7)).
   */
  static boolean mayTakeFewer(int errno) {
    return errno == Errno.EINVAL || errno == Errno.EMSGSIZE || errno == Errno.ENOBUFS;
  }

  /** Logs a failure of socket or connect, unless it passes or was logged before. */
  final void reportCannotConnect(int errno) {
    switch (errno) {
      case Errno.EAGAIN, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS -> {
        // The backlog of the receiver's listener is full, or this process or system is short of
        // descriptors or memory.
      }
      default -> reportDown(errno);
    }
  }

  /**
   * Whether a failed sendmsg means that the way is full rather than gone. ETOOMANYREFS: too many
   * descriptors of this user are in flight (unix(7)).
   */
  static boolean isFull(int errno) {
    return switch (errno) {
      case Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM, Errno.ETOOMANYREFS -> true;
      default -> false;
    };
  }

  /** Notes that a descriptor could be passed. */
  final void reportUp() {
    if (down) {
      down = false;
      loop.log().info("backend {}: unix:{} takes connections again", backend.name(), path);
    }
  }

  private void reportDown(int errno) {
    if (!down) {
      down = true;
      loop.log()
          .warn(
              "backend {}: unix:{} takes no connections: connect: {}: {}",
              backend.name(),
              path,
              Errno.name(errno),
              remedy(errno));
    }
  }

  private String remedy(int errno) {
    return switch (errno) {
      case Errno.ENOENT -> "start the receiver, or correct the path";
      case Errno.ECONNREFUSED -> "the socket file is there but nobody listens: start the receiver";
      case Errno.EACCES ->
          "this user may not write to the socket: change the receiver's socket mode or group";
      case Errno.EPROTOTYPE ->
          "the receiver bound another type of socket: set the backend's method to auto, or as the"
              + " receiver's";
      case Errno.ENOTDIR -> "a part of the path is not a directory: correct the path";
      default -> "trying again until hand-off-timeout";
    };
  }
}
