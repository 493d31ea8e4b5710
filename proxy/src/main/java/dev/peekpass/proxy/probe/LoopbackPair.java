package dev.peekpass.proxy.probe;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;

/**
 * A TCP connection of this process with itself over 127.0.0.1: one end to hand off, one to ask on.
 * Receivers check that what they get is TCP, so that socketpair(2) does not do.
 */
final class LoopbackPair implements AutoCloseable {
  private static final long LOOPBACK = 0xffff_7f00_0001L;

  private final Kernel kernel;

  /**
   * The end that was accepted, owned here until {@link #closeAccepted}: non-blocking, as passed
   * connections are.
   */
  final Fd accepted;

  private boolean acceptedClosed;

  /** The end that asks, owned here. */
  final Socket client;

  private LoopbackPair(Kernel kernel, Fd accepted, Socket client) {
    this.kernel = kernel;
    this.accepted = accepted;
    this.client = client;
  }

  /**
   * Connects.
   *
   * @param timeoutMillis how long that may take, 1 or more
   * @throws IOException when it cannot be made; nothing is left open
   */
  static LoopbackPair open(Kernel kernel, int timeoutMillis) throws IOException {
    Fd listener =
        Fd.of(
            orThrow(
                "socket",
                kernel.socket(
                    Linux.AF_INET,
                    Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC,
                    0)));
    try {
      SockAddr address = new SockAddr();
      address.inet(0, LOOPBACK, 0);
      orThrow("bind", kernel.bind(listener, address));
      orThrow("listen", kernel.listen(listener, 8));
      orThrow("getsockname", kernel.getsockname(listener, address));
      return connect(kernel, listener, address.port(), timeoutMillis);
    } finally {
      kernel.close(listener);
    }
  }

  private static LoopbackPair connect(Kernel kernel, Fd listener, int port, int timeoutMillis)
      throws IOException {
    Socket client = new Socket();
    try {
      InetAddress loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
      client.connect(new InetSocketAddress(loopback, port), timeoutMillis);
      SockAddr peer = new SockAddr();
      while (true) {
        int r = kernel.accept4(listener, peer, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
        if (r == -Errno.EINTR || r == -Errno.ECONNABORTED) {
          continue;
        }
        Fd accepted = Fd.of(orThrow("accept4", r));
        if (peer.port() == client.getLocalPort()) {
          return new LoopbackPair(kernel, accepted, client);
        }
        // Somebody else on this host has found the port.
        kernel.close(accepted);
      }
    } catch (IOException e) {
      client.close();
      throw e;
    }
  }

  private static int orThrow(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(call, -r, "raise the limit of open files, or free memory");
    }
    return r;
  }

  /** Closes the accepted end here: whoever was passed it has it alone. */
  void closeAccepted() {
    if (!acceptedClosed) {
      acceptedClosed = true;
      kernel.close(accepted);
    }
  }

  @Override
  public void close() throws IOException {
    closeAccepted();
    client.close();
  }
}
