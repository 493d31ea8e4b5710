package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.TcpInfo;

/**
 * Whether anybody has read from a connection or written to it, as the kernel's own counts tell.
 * Asked once the process that had it has gone: only then does the answer stay true.
 */
public final class Untouched {
  /** What the counts say. */
  public enum Finding {
    /** Nobody has read from it, written to it or shut it down. */
    UNTOUCHED,
    /** Somebody has, or it cannot be told. */
    TOUCHED,
    /** Its client has reset it: it is nobody's any more. */
    RESET
  }

  /** How often it looks at a connection whose bytes keep coming. */
  private static final int MAX_LOOKS = 64;

  private final Kernel kernel;
  private final TcpInfo info = new TcpInfo();

  public Untouched(Kernel kernel) {
    this.kernel = kernel;
  }

  /**
   * Looks at a connection.
   *
   * <p>All that was received still waits to be read, nothing was sent, and this side was not shut
   * down. tcpi_bytes_received counts the client's FIN as a byte, which SIOCINQ does not. Bytes that
   * arrive between the two calls look like bytes that were read: then it looks again.
   *
   * <p>Kernels before 4.19 do not count what was sent. Nothing else tells it once the client has
   * acknowledged it (SIOCOUTQ does not), so that there no connection is untouched.
   */
  public Finding look(Fd connection) {
    long before = 0;
    for (int looks = 0; looks < MAX_LOOKS; looks++) {
      int unread = kernel.siocinq(connection);
      if (unread < 0 || kernel.tcpInfo(connection, info) < 0 || !info.countsBytesSent()) {
        return Finding.TOUCHED;
      }
      int state = info.state();
      if (state == Linux.TCP_CLOSE) {
        return Finding.RESET;
      }
      if ((state != Linux.TCP_ESTABLISHED && state != Linux.TCP_CLOSE_WAIT)
          || info.bytesSent() > 0) {
        return Finding.TOUCHED;
      }
      long received = info.bytesReceived() - (state == Linux.TCP_CLOSE_WAIT ? 1 : 0);
      if (unread == received) {
        return Finding.UNTOUCHED;
      }
      if (unread < before) {
        return Finding.TOUCHED;
      }
      before = received;
    }
    return Finding.TOUCHED;
  }
}
