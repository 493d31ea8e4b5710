package dev.peekpass.proxy.probe;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.config.Method;

/**
 * Hands one connection to a receiver as the plain methods do, over a UNIX connection of its own. So
 * a probe goes the way that clients' connections go, and does not disturb them.
 */
final class SingleHandOff {
  private final Kernel kernel;
  private final int[] types;
  private final boolean mayAcknowledge;
  private final SockAddr address = new SockAddr();
  private final Message message = new Message(1, 1);

  SingleHandOff(Kernel kernel, Method method, String path) {
    this.kernel = kernel;
    types =
        switch (method) {
          case ONCE, PERSISTENT -> new int[] {Linux.SOCK_STREAM};
          case DATAGRAM -> new int[] {Linux.SOCK_DGRAM};
          case AUTO, ACKNOWLEDGED -> new int[] {Linux.SOCK_STREAM, Linux.SOCK_DGRAM};
        };
    mayAcknowledge = method == Method.AUTO || method == Method.ACKNOWLEDGED;
    address.unix(path);
    message.payload().put(0, (byte) 'P');
  }

  /**
   * Passes a duplicate of a descriptor.
   *
   * @param connection the caller goes on owning it
   * @return good when it is in the receiver's queue
   */
  Finding pass(Fd connection) {
    int r = -Errno.EPROTOTYPE;
    for (int i = 0; i < types.length && r == -Errno.EPROTOTYPE; i++) {
      r = connect(types[i]);
    }
    if (r == -Errno.EPROTOTYPE && mayAcknowledge) {
      return new Finding.NotNeeded();
    }
    if (r < 0) {
      return new Finding.Bad("connect: " + Errno.name(-r));
    }
    Fd socket = Fd.of(r);
    try {
      message.beginSend(1);
      message.add(connection);
      do {
        r = kernel.sendmsg(socket, message, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
      } while (r == -Errno.EINTR);
      return r < 0 ? new Finding.Bad("sendmsg: " + Errno.name(-r)) : new Finding.Good();
    } finally {
      kernel.close(socket);
    }
  }

  /** Returns a connected socket that the caller owns, or -errno with nothing left open. */
  private int connect(int type) {
    int r = kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC, 0);
    if (r < 0) {
      return r;
    }
    Fd socket = Fd.of(r);
    if (type == Linux.SOCK_STREAM) {
      // Nobody sends anything back then, of which closing would have to wait for the end.
      kernel.shutdown(socket, Linux.SHUT_RD);
    }
    int c;
    do {
      c = kernel.connect(socket, address);
    } while (c == -Errno.EINTR);
    if (c < 0) {
      kernel.close(socket);
      return c;
    }
    return r;
  }
}
