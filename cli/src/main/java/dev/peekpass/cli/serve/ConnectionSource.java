package dev.peekpass.cli.serve;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/** Where {@code serve} gets its connections from: the receiver library, or a listener in tests. */
interface ConnectionSource extends Closeable {
  /**
   * Waits for the next connection, which then belongs to the caller: a channel in blocking mode.
   *
   * @throws java.nio.channels.ClosedChannelException once this is closed, or drained
   * @throws IOException if this connection was lost but others may follow
   */
  SocketChannel accept() throws IOException;

  /**
   * Lets nobody send any more. {@link #accept()} goes on to give what was sent before, and then
   * ends.
   *
   * @throws IOException if something of it remains; it drains all the same
   */
  void drain() throws IOException;
}
