package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.connection.Batch;

/**
 * A channel that makes a UNIX connection for each connection it passes ({@code once}): connect, one
 * message, close. What was sent stays readable for the receiver, then comes end of stream.
 */
public final class OnceChannel extends PlainChannel {

  public OnceChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
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
    int sent = send(socket, batch);
    closeSocket(socket);
    if (sent < 0) {
      return 0;
    }
    reportUp();
    return sent;
  }

  @Override
  public boolean isReady() {
    return mayConnect();
  }

  @Override
  public void close() {
    // Holds nothing between two connections.
  }
}
