package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.TcpInfo;

/**
 * In how many pieces first bytes lie in a receive queue.
 *
 * <p>A peek takes nothing off the queue, and for each buffer that it copies from the kernel begins
 * at the queue's head anew (tcp_recvmsg with MSG_PEEK): of n buffers it takes n²/2 steps. 12,000
 * segments of a byte that were not joined hold a loop for 4 seconds, in one call. The kernel joins
 * small segments where it can, which it often cannot where the client is on the same machine.
 */
final class Pieces {
  /** Memory that is never too much: some 250 buffers, which a peek looks through in 0.3 ms. */
  private static final int ALWAYS_BYTES = 192 * 1024;

  /** Segments that are never too many. */
  private static final int ALWAYS_SEGMENTS = 192;

  /** Segments of as many bytes, on an average, are never too small: no path carries only less. */
  private static final int LEAST_SEGMENT_BYTES = 128;

  private final Kernel kernel;
  private final TcpInfo info = new TcpInfo();

  Pieces(Kernel kernel) {
    this.kernel = kernel;
  }

  /** Whether there are too many on a connection to peek at all of them. */
  boolean areTooMany(Fd fd) {
    if (kernel.getsockopt(fd, Linux.SOL_SOCKET, Linux.SO_MEMINFO) <= ALWAYS_BYTES
        || kernel.tcpInfo(fd, info) < 0) {
      return false;
    }
    long segments = Integer.toUnsignedLong(info.dataSegmentsReceived());
    return segments > ALWAYS_SEGMENTS && info.bytesReceived() < segments * LEAST_SEGMENT_BYTES;
  }
}
