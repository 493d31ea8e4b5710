package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Tells clients' connections from everything else that a descriptor can be, and refuses the rest.
 */
final class Inspection {
  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;

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
  private final DescriptorRefusal refusal;
  private final String name;
  private final Tally tally;
  private final RateLimitedLog log;
  private final SockAddr peer = new SockAddr();

  /**
   * Prepares it.
   *
   * @param name the receiver's, for the log
   */
  Inspection(Kernel kernel, DescriptorRefusal refusal, String name, Tally tally, ReceiverLog log) {
    this.kernel = kernel;
    this.refusal = refusal;
    this.name = name;
    this.tally = tally;
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
  }

  /**
   * Describes a descriptor that is a client's connection, and refuses any other.
   *
   * @param arrival its descriptor is the caller's again in what is returned, and closed otherwise,
   *     also when this method throws
   * @param nonBlocking whether to set O_NONBLOCK, which a sender that is not Peekpass may have left
   *     off
   * @return null when it was refused
   */
  @Nullable HandedOff inspect(Arrival arrival, boolean nonBlocking) {
    boolean good = false;
    Fd fd = arrival.fd();
    try {
      // Not a switch, which would be a class more to load.
      Kind kind = kindOf(fd);
      if (kind == Kind.GONE) {
        tally.gone.increment();
        return null;
      }
      if (kind == Kind.OTHER) {
        tally.notTcp.increment();
        log.warn(
            name + ": closed a descriptor that is not a connected TCP socket: " + describe(fd));
        return null;
      }
      InetSocketAddress client = new InetSocketAddress(peer.inetAddress(), peer.port());
      HandedOff connection = new HandedOff(fd, kind == Kind.TCP_INET6, client, arrival.metadata());
      if (nonBlocking) {
        setNonBlocking(fd);
      }
      tally.accepted.increment();
      good = true;
      return connection;
    } finally {
      if (!good) {
        refusal.refuse(fd);
      }
    }
  }

  private Kind kindOf(Fd fd) {
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

  private void setNonBlocking(Fd fd) {
    int flags = kernel.fcntl(fd, Linux.F_GETFL, 0);
    if (flags >= 0 && (flags & Linux.O_NONBLOCK) == 0) {
      kernel.fcntl(fd, Linux.F_SETFL, flags | Linux.O_NONBLOCK);
    }
  }

  /** Names what is not TCP, for the log. */
  private String describe(Fd fd) {
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
