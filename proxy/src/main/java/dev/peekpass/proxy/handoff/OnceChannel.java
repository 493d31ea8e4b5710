package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.turn.Turn;

/**
 * A channel that makes a UNIX connection for each connection it passes ({@code once}): connect, one
 * message, close. What was sent stays readable for the receiver, then comes end of stream. Whether
 * the receiver takes it, or closes with the message unread, cannot be known.
 */
final class OnceChannel extends PlainChannel {

  OnceChannel(Turn turn, Passing backend, BackendConfig config, String path) {
    super(turn, backend, config, path);
  }

  @Override
  public int pass(Batch batch) {
    if (!mayConnect()) {
      return 0;
    }
    int r = connectAnew(Linux.SOCK_STREAM);
    if (r < 0) {
      reach.cannotConnect(-r);
      return 0;
    }
    Fd socket = Fd.of(r);
    int sent;
    try {
      meet(socket);
      sent = send(socket, batch);
    } finally {
      closeSocket(socket);
    }
    if (sent < 0) {
      if (!isFull(-sent)) {
        rest.gaveBack(turn.nowNanos());
        reach.refused("it closes each UNIX connection at once", notAllowed());
      }
      return 0;
    }
    rest.taken();
    reach.up();
    takeOver(batch, sent);
    return sent;
  }

  /** Each connection of its own says whether it can be. */
  @Override
  public void connectAhead() {
    // A UNIX connection that brings nothing would be in vain.
  }

  @Override
  public boolean isReady() {
    return mayConnect();
  }

  @Override
  public void abort() {
    // Holds nothing between two connections.
  }

  @Override
  public void close() {
    // As above.
  }
}
