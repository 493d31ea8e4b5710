package dev.peekpass.cli.serve;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/**
 * TCP alone; files go out by sendfile(2).
 *
 * <p>On a virtual thread the channel is non-blocking underneath, from the first read on. So
 * sendfile never holds a carrier thread: it sends what fits, or nothing, and {@code transferTo}
 * cannot wait for room. A small write can, and parks only the virtual thread; that is how a client
 * that reads slowly is waited for.
 */
final class PlainTransport implements Transport {
  // Bounds how long one call keeps a carrier thread from the other connections.
  private static final int MAX_SENDFILE_BYTES = 1 << 20;
  private static final int WAITING_WRITE_BYTES = 4096;

  private final SocketChannel channel;
  private final byte[] first;
  private int firstRead;

  /**
   * Speaks on a channel in blocking mode.
   *
   * @param first bytes already read from it
   */
  PlainTransport(SocketChannel channel, byte[] first) {
    this.channel = channel;
    this.first = first;
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    if (firstRead < first.length) {
      int count = Math.min(length, first.length - firstRead);
      System.arraycopy(first, firstRead, bytes, offset, count);
      firstRead += count;
      return count;
    }
    return channel.read(ByteBuffer.wrap(bytes, offset, length));
  }

  @Override
  public int write(byte[] bytes, int offset, int length) throws IOException {
    return channel.write(ByteBuffer.wrap(bytes, offset, length));
  }

  @Override
  @SuppressWarnings("ThreadPriorityCheck") // for fairness, not for correctness
  public long send(FileChannel file, long from, long lengthBytes) throws IOException {
    long sent = file.transferTo(from, Math.min(lengthBytes, MAX_SENDFILE_BYTES), channel);
    if (sent > 0) {
      // Virtual threads are not preempted, and a client that keeps up would never make us park.
      Thread.yield();
      return sent;
    }
    ByteBuffer some = ByteBuffer.allocate((int) Math.min(lengthBytes, WAITING_WRITE_BYTES));
    if (file.read(some, from) <= 0) {
      return 0;
    }
    return channel.write(some.flip());
  }

  @Override
  public void finish() throws IOException {
    channel.shutdownOutput();
  }

  @Override
  public Optional<ClientFacts.Tls> tls() {
    return Optional.empty();
  }
}
