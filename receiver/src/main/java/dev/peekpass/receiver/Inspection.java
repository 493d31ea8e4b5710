package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import java.net.InetSocketAddress;

/**
 * Tells a client's connection from everything else that a descriptor can be. Looks only: the caller
 * goes on owning the descriptor.
 */
final class Inspection {

  /** What a descriptor is. */
  enum Kind {
    /** A connected TCP socket of AF_INET. */
    TCP_INET,
    /** A connected TCP socket of AF_INET6, whatever kind of address its peer has. */
    TCP_INET6,
    /** A TCP socket that is not connected any more. */
    GONE,
    /** Anything else. */
    OTHER
  }

  private final Kernel kernel;
  private final SockAddr peer = new SockAddr();

  Inspection(Kernel kernel) {
    this.kernel = kernel;
  }

  /** Looks at a descriptor. */
  Kind inspect(Fd fd) {
    // On what is no socket this fails with ENOTSOCK.
    int domain = option(fd, Linux.SO_DOMAIN);
    boolean tcp =
        (domain == Linux.AF_INET || domain == Linux.AF_INET6)
            && option(fd, Linux.SO_TYPE) == Linux.SOCK_STREAM
            && option(fd, Linux.SO_PROTOCOL) == Linux.IPPROTO_TCP
            && option(fd, Linux.SO_ACCEPTCONN) == 0;
    if (!tcp) {
      return Kind.OTHER;
    }
    int r = kernel.getpeername(fd, peer);
    if (r < 0) {
      return r == -Errno.ENOTCONN ? Kind.GONE : Kind.OTHER;
    }
    return domain == Linux.AF_INET ? Kind.TCP_INET : Kind.TCP_INET6;
  }

  /** The other end of what was last found to be connected. */
  InetSocketAddress peer() {
    return new InetSocketAddress(peer.inetAddress(), peer.port());
  }

  /** Names what is not TCP, for the log. */
  String describe(Fd fd) {
    int domain = option(fd, Linux.SO_DOMAIN);
    if (domain < 0) {
      return "no socket (" + Errno.name(-domain) + ")";
    }
    if (option(fd, Linux.SO_ACCEPTCONN) > 0) {
      return "a listening socket";
    }
    return "a socket of domain "
        + domain
        + ", type "
        + option(fd, Linux.SO_TYPE)
        + ", protocol "
        + option(fd, Linux.SO_PROTOCOL);
  }

  private int option(Fd fd, int option) {
    return kernel.getsockopt(fd, Linux.SOL_SOCKET, option);
  }
}
