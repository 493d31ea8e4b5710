package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;

/**
 * A channel that makes a UNIX connection for each connection it passes ({@code once}): connect, one
 * message, close. What was sent stays readable for the receiver, then comes end of stream.
 */
final class OnceChannel extends Channel {

  OnceChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
  }

  @Override
  Passing pass(Fd connection) {
    int r = connect(Linux.SOCK_STREAM);
    if (r < 0) {
      return cannotConnect(-r);
    }
    Fd socket = Fd.of(r);
    int sent = send(socket, connection);
    kernel.close(socket);
    if (sent > 0) {
      reportUp();
      return Passing.PASSED;
    }
    return isFull(-sent) ? Passing.FULL : Passing.DOWN;
  }

  @Override
  void close() {
    // Holds nothing between two connections.
  }
}
