package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Passes what a client writes on to a connection one byte a segment, and all that comes back. */
final class OneByteRelay implements AutoCloseable {
  private final Socket clientSide;
  private final Socket relaySide;

  OneByteRelay(Socket target) throws IOException {
    target.setTcpNoDelay(true);
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      clientSide = new Socket(listener.getInetAddress(), listener.getLocalPort());
      relaySide = listener.accept();
    }
    Thread.ofVirtual().start(() -> copy(relaySide, target, 1));
    Thread.ofVirtual().start(() -> copy(target, relaySide, 1 << 16));
  }

  private static void copy(Socket from, Socket to, int chunkBytes) {
    byte[] chunk = new byte[chunkBytes];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
        out.write(chunk, 0, n);
      }
      to.shutdownOutput();
    } catch (IOException e) {
      // One of the two has gone; the test sees it on its own side.
    }
  }

  Socket clientSide() {
    return clientSide;
  }

  @Override
  public void close() throws IOException {
    clientSide.close();
    relaySide.close();
  }
}
