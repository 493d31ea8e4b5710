package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * Listens, and passes what clients write on one byte a segment, and what comes back as it comes.
 */
final class OneByteRelay implements AutoCloseable {
  /** How much of a connection is torn apart; later bytes are no longer the proxy's business. */
  private static final int TORN_BYTES = 4096;

  private final ServerSocket listener;
  private final int targetPort;

  /**
   * Starts to listen.
   *
   * @param targetPort where on this host the bytes go
   */
  OneByteRelay(int targetPort) throws IOException {
    this.targetPort = targetPort;
    listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().start(this::accept);
  }

  int port() {
    return listener.getLocalPort();
  }

  private void accept() {
    while (true) {
      try {
        Socket client = listener.accept();
        Socket target = new Socket(InetAddress.getLoopbackAddress(), targetPort);
        target.setTcpNoDelay(true);
        Thread.ofVirtual().start(() -> copy(client, target, TORN_BYTES));
        Thread.ofVirtual().start(() -> copy(target, client, 0));
      } catch (IOException e) {
        // Closed, or one of the two has gone; the test sees it on its own side.
        if (listener.isClosed()) {
          return;
        }
      }
    }
  }

  private static void copy(Socket from, Socket to, int tornBytes) {
    byte[] chunk = new byte[1 << 16];
    int torn = tornBytes;
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
        int single = Math.min(n, torn);
        for (int i = 0; i < single; i++) {
          out.write(chunk[i]);
        }
        torn -= single;
        out.write(chunk, single, n - single);
      }
    } catch (IOException e) {
      // One of the two has gone.
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
