package dev.peekpass.it;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** A client that knows its own address, byte by byte. */
final class Client implements Closeable {
  // Longer than anything that a test waits for on a machine that has too much to do.
  private static final int PATIENCE_MILLIS = 60_000;

  final Socket socket = new Socket();

  /**
   * Connects.
   *
   * @param from the address to connect from
   */
  Client(String from, InetSocketAddress server) throws IOException {
    boolean connected = false;
    try {
      socket.bind(new InetSocketAddress(InetAddress.ofLiteral(from), 0));
      socket.connect(server, PATIENCE_MILLIS);
      socket.setSoTimeout(PATIENCE_MILLIS);
      socket.setTcpNoDelay(true);
      connected = true;
    } finally {
      if (!connected) {
        socket.close();
      }
    }
  }

  /** The head of a GET. */
  static String get(String path, String... fields) {
    StringBuilder head = new StringBuilder("GET " + path + " HTTP/1.1\r\n");
    head.append("Host: " + NginxDeployment.NAME + "\r\n");
    for (String field : fields) {
      head.append(field).append("\r\n");
    }
    return head.append("\r\n").toString();
  }

  /** Sends text. */
  void send(String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  /** Reads to the end. */
  String readAll() throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
  }

  /** Reads up to and with a line feed. */
  String line() throws IOException {
    StringBuilder line = new StringBuilder();
    InputStream in = socket.getInputStream();
    for (int b = in.read(); b >= 0; b = in.read()) {
      line.append((char) b);
      if (b == '\n') {
        break;
      }
    }
    return line.toString();
  }

  /** Reads a response that says its length; returns its body. */
  String response() throws IOException {
    int length = -1;
    for (String line = line(); !line.isBlank(); line = line()) {
      if (line.startsWith("Content-Length: ")) {
        length = Integer.parseInt(line.substring("Content-Length: ".length()).strip());
      }
    }
    if (length < 0) {
      throw new IOException("no response with a length");
    }
    byte[] body = socket.getInputStream().readNBytes(length);
    return new String(body, StandardCharsets.ISO_8859_1);
  }

  /** Its own address and port. */
  String address() {
    return socket.getLocalAddress().getHostAddress() + ":" + socket.getLocalPort();
  }

  /** How {@link NginxDeployment#WHO} must begin for this client. */
  String who() {
    return "%s %d %s %d "
        .formatted(
            socket.getLocalAddress().getHostAddress(),
            socket.getLocalPort(),
            socket.getInetAddress().getHostAddress(),
            socket.getPort());
  }

  /** Resets the connection instead of ending it. */
  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
