package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.turn.Turn;

/**
 * A channel that makes a UNIX connection for each connection it passes ({@code once}): connect, one
 * message, close. What was sent stays readable for the receiver, then comes end of stream.
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
      reportCannotConnect(-r);
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
      return 0;
    }
    reportUp();
    takeOver(batch, sent);
    return sent;
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
