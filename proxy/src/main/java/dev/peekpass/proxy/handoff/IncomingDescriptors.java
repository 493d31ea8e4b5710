package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;

/**
 * Keeps receivers from sending descriptors to the proxy. The kernel frees what stands in a socket's
 * queue when the socket is closed, on the thread that does it, and the last close of a TCP socket
 * with SO_LINGER may take as long as its sender likes.
 *
 * <p>SO_PASSRIGHTS (unix(7)) lets each attempt fail with EPERM. It is set before connect(2), after
 * which the receiver may send at once. Kernels before 6.16 do not know it: there a stream socket is
 * shut down for reading, so that sending to it fails with EPIPE, and a seqpacket socket, over which
 * receivers have something to say, {@linkplain #mayBeQueued may have them in its queue}. A datagram
 * socket has no name, so that nobody can send to it.
 */
final class IncomingDescriptors {
  private final Kernel kernel;

  /** Whether the kernel has said that it does not know SO_PASSRIGHTS: it is asked once. */
  private boolean unknown;

  IncomingDescriptors(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * Bars them from a socket that is not connected yet.
   *
   * @return 0 or more; or -errno, when it must not be connected
   */
  int bar(Fd socket, int type) {
    if (type == Linux.SOCK_DGRAM) {
      return 0;
    }
    if (!unknown) {
      int r = kernel.setsockopt(socket, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0);
      unknown = r == -Errno.ENOPROTOOPT;
      if (!unknown) {
        return r;
      }
    }
    return type == Linux.SOCK_STREAM ? kernel.shutdown(socket, Linux.SHUT_RD) : 0;
  }

  /** Whether they may stand in a connected seqpacket socket's queue. */
  boolean mayBeQueued() {
    return unknown;
  }
}
