package dev.peekpass.receiver;

import java.io.IOException;
import java.nio.channels.SocketChannel;

/** What an application does with one connection, in {@link Receiver#serve}. */
@FunctionalInterface
public interface ConnectionHandler {
  /**
   * Talks to the client until done.
   *
   * @param connection in blocking mode; closed by the caller when this method ends, however it ends
   * @throws IOException when the connection breaks, which ends nothing but itself
   */
  void handle(SocketChannel connection) throws IOException;
}
