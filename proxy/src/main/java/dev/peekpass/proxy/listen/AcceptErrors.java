package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.proxy.turn.Turn;

/**
 * What accept4(2) reports instead of a connection: whose affair it is, and what is logged of it.
 */
final class AcceptErrors {
  /** How long accept rests when descriptors or memory have run out. */
  static final long REST_NANOS = 20_000_000;

  /** How long it rests at most where accept fails and nothing tells why. */
  private static final long REST_MAX_NANOS = 1_000_000_000L;

  /** How often the errors of a listener are logged at most. */
  private static final long LOG_NANOS = 60_000_000_000L;

  /** Whose affair an error is. */
  enum Kind {
    /** Nobody's: nobody is queued. */
    NONE,
    /** A client's, which has gone already, or whose network has failed (accept(2)). */
    CLIENT,
    /** A limit of descriptors or memory. */
    LIMIT,
    /** The socket's own: it would be reported for ever. */
    SOCKET
  }

  private final Turn turn;
  private final String label;
  private long restNanos = REST_NANOS;
  private long logAtNanos = Long.MIN_VALUE;

  AcceptErrors(Turn turn, String label) {
    this.turn = turn;
    this.label = label;
  }

  /** Sorts an error. */
  static Kind kind(int errno) {
    return switch (errno) {
      case Errno.EAGAIN -> Kind.NONE;
      case Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS -> Kind.LIMIT;
      case Errno.ECONNABORTED,
          Errno.EPROTO,
          Errno.ENETDOWN,
          Errno.ENOPROTOOPT,
          Errno.EHOSTDOWN,
          Errno.ENONET,
          Errno.EHOSTUNREACH,
          Errno.EOPNOTSUPP,
          Errno.ENETUNREACH,
          Errno.ETIMEDOUT ->
          Kind.CLIENT;
      default -> Kind.SOCKET;
    };
  }

  /** A connection was accepted: the next rest is a short one. */
  void recovered() {
    restNanos = REST_NANOS;
  }

  /** How long to rest after an error of the socket's: longer each time. */
  long nextRestNanos() {
    long rest = restNanos;
    restNanos = Math.min(2 * rest, REST_MAX_NANOS);
    return rest;
  }

  /**
   * Logs an error, once a minute at most.
   *
   * @param what with {@code {}} for the error's name
   */
  void warn(String what, int errno) {
    if (turn.nowNanos() >= logAtNanos) {
      logAtNanos = turn.nowNanos() + LOG_NANOS;
      turn.log().warn("listener " + label + ": " + what, Errno.name(errno));
    }
  }
}
