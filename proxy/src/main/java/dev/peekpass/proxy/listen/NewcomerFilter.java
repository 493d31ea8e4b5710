package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SocketFilter;
import dev.peekpass.linux.TcpInfo;
import dev.peekpass.proxy.turn.Turn;
import org.slf4j.event.Level;

/**
 * The filter of a listening socket that is closing, which lets no new connection begin
 * (SO_ATTACH_FILTER, socket(7)). What comes to the queue meanwhile inherits it.
 */
final class NewcomerFilter {
  private static final SocketFilter NO_NEW_CONNECTIONS = SocketFilter.noNewTcpConnections();

  /** How often in a row a fault may keep the socket from being left without it. */
  private static final int LAST_TRIES = 3;

  private final Turn turn;
  private final BoundSocket bound;
  private final AcceptErrors errors;
  private final TcpInfo queueInfo = new TcpInfo();

  /** Whether the socket may have it. */
  private boolean attached;

  /** How many of the queue may have that of when the socket was closing. */
  private int filtered;

  NewcomerFilter(Turn turn, BoundSocket bound, AcceptErrors errors) {
    this.turn = turn;
    this.bound = bound;
    this.errors = errors;
  }

  /** Goes on with the socket of another. */
  void follow(NewcomerFilter before) {
    filtered = before.filtered;
    attached = before.attached;
  }

  /** Whether the socket may have it. */
  boolean isAttached() {
    return attached;
  }

  /**
   * The next connection has been taken from the queue.
   *
   * @param closing whether the socket is closing
   * @return whether it may have inherited the filter
   */
  boolean isInherited(boolean closing) {
    boolean inherits = closing || filtered > 0;
    filtered = Math.max(filtered - 1, 0);
    return inherits;
  }

  /**
   * Lets no new connection begin, if the kernel allows that. Kernels since mid-2026 do so with
   * CAP_NET_ADMIN only, which a proxy that serves as another user has not: nobody needs to do
   * anything about it, so that it is no warning, and at a stop, where the socket is closed within
   * moments, it is nothing at all.
   *
   * @param ends whether it is closed as soon as nobody is queued
   */
  void attach(boolean ends) {
    attached = true;
    try {
      int r = turn.kernel().attachFilter(bound.fd(), NO_NEW_CONNECTIONS);
      if (r == -Errno.EPERM) {
        String said =
            "listener {}: new connections are let in until it is closed, since this kernel"
                + " keeps them away with CAP_NET_ADMIN only (SO_ATTACH_FILTER: EPERM)";
        turn.log().atLevel(ends ? Level.DEBUG : Level.INFO).log(said, bound.label());
      } else if (r < 0) {
        errors.warn(
            "setsockopt SO_ATTACH_FILTER: {}: new connections are let in until it is closed", -r);
      }
    } catch (RuntimeException e) {
      turn.fault("listener " + bound.label() + ": new connections could not be kept away", e);
    }
  }

  /**
   * Lets new connections begin again. While that fails nobody comes, and it is to be tried again.
   */
  void detach() {
    try {
      takeAway();
      // What came to the queue meanwhile has inherited it.
      filtered = queued();
    } catch (RuntimeException e) {
      turn.fault("listener " + bound.label() + ": new connections could not be let in", e);
    }
  }

  private void takeAway() {
    int r = turn.kernel().setsockopt(bound.fd(), Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0);
    attached = r < 0 && r != -Errno.ENOENT;
  }

  /** The filter is the socket's, which others may have too and go on with. */
  void leaveNone() {
    for (int tries = 0; attached && tries < LAST_TRIES; tries++) {
      takeAway();
    }
  }

  /** How many connections wait to be accepted. */
  int queued() {
    return turn.kernel().acceptQueue(bound.fd(), queueInfo) < 0 ? 0 : queueInfo.unacked();
  }
}
