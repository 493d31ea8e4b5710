package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * Looks whether another process has bound the path while the receiver that a channel leads to does
 * not answer: a second UNIX connection, kept only if another process listens at its end
 * (SO_PEERCRED, unix(7)), of which a HELLO is awaited.
 */
final class Successor implements Pollable {
  /** Between two looks, and how long another receiver has to say hello. */
  private static final long REST_NANOS = 1_000_000_000L;

  private final Turn turn;
  private final Kernel kernel;
  private final SeqpacketSocket.Opener opener;
  private final Runnable onHello;
  private final @Nullable PeerCredentials[] credentials = new @Nullable PeerCredentials[1];
  private @Nullable SeqpacketSocket socket;
  private long lookAgainNanos = Long.MIN_VALUE;

  /**
   * Makes one that does not look.
   *
   * @param onHello is run when another receiver has said hello: {@link #take} its connection
   */
  Successor(Turn turn, SeqpacketSocket.Opener opener, Runnable onHello) {
    this.turn = turn;
    this.opener = opener;
    this.onHello = onHello;
    kernel = turn.kernel();
  }

  /**
   * Looks, if it is time to.
   *
   * @param present the connection of the receiver that does not answer
   * @return when to be called again while it does not
   */
  long look(SeqpacketSocket present, long nowNanos) {
    if (lookAgainNanos <= nowNanos) {
      lookAgainNanos = nowNanos + REST_NANOS;
      // One that has not said hello either: whoever has the path by now is asked anew.
      close();
      SeqpacketSocket opened = opener.open(this);
      if (opened != null) {
        socket = opened;
        if (pid(opened.fd()) == pid(present.fd())) {
          close();
        }
      }
    }
    return lookAgainNanos;
  }

  /** The process that listens at the other end; 0 when that is not known. */
  private int pid(Fd fd) {
    int r = kernel.peerCredentials(fd, credentials);
    PeerCredentials known = credentials[0];
    return r < 0 || known == null ? 0 : known.pid();
  }

  @Override
  public void onEvents(int events) {
    onHello.run();
  }

  @Override
  public void onFault() {
    close();
  }

  /** Gives the connection away, which is watched; null when there is none. */
  @Nullable SeqpacketSocket take(Pollable to) {
    SeqpacketSocket taken = socket;
    socket = null;
    if (taken != null) {
      turn.poller().replace(taken.slot(), to);
    }
    return taken;
  }

  /** Looks no more, the receiver having answered or gone. */
  void close() {
    SeqpacketSocket open = socket;
    if (open != null) {
      socket = null;
      open.close();
    }
  }
}
