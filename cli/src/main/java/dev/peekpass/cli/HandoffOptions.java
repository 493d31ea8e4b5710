package dev.peekpass.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How {@code serve} receives connections.
 *
 * @param socket where the UNIX socket is bound
 * @param datagram whether it is a datagram socket, a stream socket otherwise
 * @param mode of the socket file, like {@code rw-rw----}; null for the receiver's own default
 * @param allowedUids who may hand connections over; empty for the receiver's own default
 */
record HandoffOptions(
    Path socket, boolean datagram, @Nullable String mode, List<Integer> allowedUids) {
  HandoffOptions {
    allowedUids = List.copyOf(allowedUids);
  }

  /**
   * Binds the socket.
   *
   * @throws IOException if it cannot be bound; the message names the remedy
   */
  ConnectionSource open() throws IOException {
    // The one place where the receiver library plugs in.
    throw new IOException("the receiver library is not there yet: nothing can bind " + socket);
  }
}
