package dev.peekpass.cli.serve;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.Optional;

/** What HTTP is spoken on: TCP alone, or TLS. Used by one virtual thread. */
interface Transport {
  /**
   * Waits for bytes, as {@link java.io.InputStream#read(byte[], int, int)}.
   *
   * @return how many came, or -1 when the client sends no more
   */
  int read(byte[] bytes, int offset, int length) throws IOException;

  /** Writes some of the bytes, waiting until at least one can go; returns how many went. */
  int write(byte[] bytes, int offset, int length) throws IOException;

  /**
   * Sends some of a file, waiting until at least a byte can go.
   *
   * @return how many bytes went, or 0 if the file ends before {@code from}
   */
  long send(FileChannel file, long from, long lengthBytes) throws IOException;

  /** Says that no more will be written: a FIN, after a close_notify on TLS. */
  void finish() throws IOException;

  /** What the handshake agreed on; empty without TLS. */
  Optional<ClientFacts.Tls> tls();
}
