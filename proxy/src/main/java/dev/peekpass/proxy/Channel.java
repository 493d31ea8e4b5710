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
 * <p>{@link #pass} sends a duplicate of a descriptor; the caller goes on owning its own and closes
 * it when, and only when, the answer is {@link Passing#PASSED}.
 */
abstract class Channel {

  /** What became of an attempt to pass a descriptor. */
  enum Passing {
    /** It is in the receiver's queue. */
    PASSED,
    /** The queue is full: try again when told so, or a little later. */
    FULL,
    /** Nobody takes connections at this path now. */
    DOWN
  }

  /** The byte beside a descriptor. Receivers ignore its value (docs/protocol.md). */
  private static final byte PAYLOAD = 'P';

  final Loop loop;
  final Kernel kernel;
  final Backend backend;
  final String path;
  private final SockAddr address = new SockAddr();
  private final Message message = new Message(1, 1);

  /** Whether the last attempt found it down: only the change is logged. */
  private boolean down;

  Channel(Loop loop, Backend backend, String path) {
    this.loop = loop;
    this.kernel = loop.kernel();
    this.backend = backend;
    this.path = path;
    address.unix(path);
    message.payload().put(0, PAYLOAD);
  }

  /**
   * Passes a connection to the receiver.
   *
   * @param connection borrowed: the caller closes it after {@link Passing#PASSED} and still has it
   *     otherwise
   */
  abstract Passing pass(Fd connection);

  /** Closes whatever it holds. */
  abstract void close();

  /**
   * Opens a socket and connects it to the path.
   *
   * @param type SOCK_STREAM or SOCK_DGRAM
   * @return a connected, non-blocking socket that the caller owns; or -errno, with nothing left
   *     open
   */
  final int connect(int type) {
    int r = kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC, 0);
    if (r < 0) {
      return r;
    }
    Fd socket = Fd.of(r);
    int c = kernel.connect(socket, address);
    if (c < 0) {
      kernel.close(socket);
      return c;
    }
    loop.counters().count(Counter.CHANNEL_OPENED);
    return r;
  }

  /** Sends one message with one descriptor; returns 1 or -errno. */
  final int send(Fd socket, Fd connection) {
    message.beginSend(1);
    message.add(connection);
    return kernel.sendmsg(socket, message, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
  }

  /** Sorts the errors of socket and connect, logging a change for the worse. */
  final Passing cannotConnect(int errno) {
    return switch (errno) {
      // The backlog of the receiver's listener is full, or this process or system is short of
      // descriptors or memory: all pass.
      case Errno.EAGAIN, Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS -> Passing.FULL;
      default -> {
        reportDown(errno);
        yield Passing.DOWN;
      }
    };
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
