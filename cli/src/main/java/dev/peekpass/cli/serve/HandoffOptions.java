package dev.peekpass.cli.serve;

import dev.peekpass.receiver.Receiver;
import dev.peekpass.receiver.ReceiverBuilder;
import dev.peekpass.receiver.SocketType;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How {@code serve} receives connections.
 *
 * @param socket where the UNIX socket is bound
 * @param type of the socket, which decides how a proxy hands off
 * @param mode of the socket file, like {@code rw-rw----}; null for the receiver's own default
 * @param allowedUids who may hand connections over; empty for the receiver's own default
 */
record HandoffOptions(
    Path socket, SocketType type, @Nullable String mode, List<Integer> allowedUids) {
  HandoffOptions {
    allowedUids = List.copyOf(allowedUids);
  }

  /**
   * Binds the socket.
   *
   * @throws IOException if it cannot be bound; the message names the remedy
   */
  ConnectionSource open() throws IOException {
    ReceiverBuilder builder = Receiver.builder(socket).type(type);
    if (mode != null) {
      builder.mode(mode);
    }
    allowedUids.forEach(builder::allowUid);
    Receiver receiver = builder.open();
    return new ConnectionSource() {
      @Override
      public SocketChannel accept() throws IOException {
        return receiver.accept();
      }

      @Override
      public void drain() throws IOException {
        receiver.drain();
      }

      @Override
      public void close() throws IOException {
        receiver.close();
      }
    };
  }
}
