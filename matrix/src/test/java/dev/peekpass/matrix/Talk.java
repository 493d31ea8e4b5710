package dev.peekpass.matrix;

import java.io.IOException;

/** How the matrix talks to a server: one kind for each protocol. Each call checks what it gets. */
interface Talk {
  /** A connection of its own, of one request: whether the server saw this client's address. */
  void once() throws Exception;

  /** Several requests on one connection: the address, 64 MiB from the server, 64 MiB to it. */
  void keepAlive() throws Exception;

  /** Connects, asks, and resets the connection before there can be an answer. */
  void reset() throws IOException;

  /** A connection that has been answered and is left open. */
  AutoCloseable open() throws Exception;
}
