package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.proxy.advice.ReceiverAdvice;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.turn.LineLimit;
import dev.peekpass.proxy.turn.Turn;

/**
 * Whether the receiver at a path could be reached and let the proxy in when that was last tried,
 * when to try to connect again, and what is logged of it.
 */
final class Reach {
  /** First wait after a failed attempt to connect, and the longest. */
  private static final long RETRY_MIN_NANOS = 5_000_000;

  private static final long RETRY_MAX_NANOS = 250_000_000;

  private final Turn turn;
  private final Passing backend;
  private final String name;
  private final String path;
  private final LineLimit downs = new LineLimit();
  private final LineLimit refusals = new LineLimit();

  /** IDLE while nothing speaks against it, else DOWN or REFUSED. */
  private ChannelState state = ChannelState.IDLE;

  private String reason = "";

  /** Whether the log says that it takes no connections. */
  private boolean logged;

  /** Whether the receiver was gone, or not there, since it last took a connection. */
  private boolean lost;

  private long connectAgainNanos = Long.MIN_VALUE;
  private long retryNanos = RETRY_MIN_NANOS;

  Reach(Turn turn, Passing backend, String name, String path) {
    this.turn = turn;
    this.backend = backend;
    this.name = name;
    this.path = path;
  }

  /** IDLE while nothing speaks against it, else DOWN or REFUSED. */
  ChannelState state() {
    return state;
  }

  /** Why it is down or refuses, in a few words; empty while nothing speaks against it. */
  String reason() {
    return reason;
  }

  /** Whether nothing speaks against it. */
  boolean isUp() {
    return state == ChannelState.IDLE;
  }

  /** Whether it is time to try to connect. */
  boolean isDue() {
    return connectAgainNanos <= turn.nowNanos();
  }

  /** It could be connected to. */
  void connected() {
    retryNanos = RETRY_MIN_NANOS;
    connectAgainNanos = Long.MIN_VALUE;
  }

  /** It could not be connected to. */
  void cannotConnect(int errno) {
    switch (errno) {
      case Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS -> {
        // This process or system is short of descriptors or memory.
        return;
      }
      case Errno.EAGAIN -> {
        // The backlog of the receiver's listener is full.
      }
      default -> down(errno);
    }
    connectAgainNanos = turn.nowNanos() + retryNanos;
    retryNanos = Math.min(2 * retryNanos, RETRY_MAX_NANOS);
  }

  private void down(int errno) {
    boolean change = state != ChannelState.DOWN;
    state = ChannelState.DOWN;
    reason = Errno.name(errno);
    lost = true;
    if (change && downs.allows(turn.nowNanos())) {
      logged = true;
      turn.log()
          .warn(
              "backend {}: unix:{} takes no connections: connect: {}: {}{}",
              name,
              path,
              Errno.name(errno),
              remedy(path, errno),
              downs.leftOut());
    }
  }

  /**
   * It ends UNIX connections without taking anything.
   *
   * @param why in a few words
   * @param remedy what to do about it
   */
  void refused(String why, String remedy) {
    state = ChannelState.REFUSED;
    reason = why;
    lost = true;
    if (refusals.allows(turn.nowNanos())) {
      logged = true;
      turn.log()
          .warn(
              "backend {}: unix:{} does not let this proxy in: {}: {}{}",
              name,
              path,
              why,
              remedy,
              refusals.leftOut());
    }
  }

  /** It has gone, or has ended its UNIX connection. */
  void lost() {
    lost = true;
  }

  /** What was tried was tried early: the first connection need not wait, nor is anybody lost. */
  void beginAnew() {
    lost = false;
    connected();
  }

  /** It lets the proxy in, or has taken a connection. */
  void up() {
    if (lost) {
      lost = false;
      backend.cameBack(path);
    }
    if (state != ChannelState.IDLE) {
      state = ChannelState.IDLE;
      reason = "";
      if (logged) {
        logged = false;
        turn.log().info("backend {}: unix:{} takes connections again", name, path);
      }
    }
  }

  /** Takes over from another, of the same path, what speaks against the receiver. */
  void inherit(Reach other) {
    if (other.state != ChannelState.IDLE) {
      state = other.state;
      reason = other.reason;
    }
    logged |= other.logged;
    lost |= other.lost;
    other.state = ChannelState.IDLE;
    other.reason = "";
    other.logged = false;
    other.lost = false;
  }

  private static String remedy(String path, int errno) {
    return switch (errno) {
      case Errno.ENOENT -> "start the receiver, or correct the path";
      case Errno.ECONNREFUSED ->
          "the socket file is there but nobody listens: start the receiver; if it is a mount of the"
              + " file alone, as into a container, mount its directory instead";
      case Errno.EACCES -> ReceiverAdvice.mayNotConnect(path);
      case Errno.EPROTOTYPE ->
          "the receiver bound another type of socket: set the backend's method to auto, or as the"
              + " receiver's";
      case Errno.ENOTDIR -> "a part of the path is not a directory: correct the path";
      default -> "trying again until hand-off-timeout";
    };
  }
}
