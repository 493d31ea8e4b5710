package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import java.util.Locale;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/** HTTP/1.1, by hand on a socket, so that every byte and the end of the connection are seen. */
class HttpTalk implements Talk {
  private static final int PATIENCE_MILLIS = 60_000;
  private static final int REQUESTS = 50;

  final String host;
  final int port;
  final @Nullable SSLContext tls;
  private final boolean closes;

  /**
   * To a host at a port of loopback.
   *
   * @param tls null for plain text
   */
  HttpTalk(String host, int port, @Nullable SSLContext tls) {
    this(host, port, tls, true);
  }

  /**
   * As above.
   *
   * @param closes whether the server ends a connection when it is asked to by {@code Connection:
   *     close}, as RFC 9112 section 9.6 says it must
   */
  HttpTalk(String host, int port, @Nullable SSLContext tls, boolean closes) {
    this.closes = closes;
    this.host = host;
    this.port = port;
    this.tls = tls;
  }

  Socket connect() throws IOException {
    Socket socket = new Socket();
    socket.setSoTimeout(PATIENCE_MILLIS);
    socket.setTcpNoDelay(true);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    return socket;
  }

  /** The TLS on a connection; it is done when this returns. */
  Socket secure(Socket socket, String... protocols) throws IOException {
    if (tls == null) {
      return socket;
    }
    SSLSocket secure = (SSLSocket) tls.getSocketFactory().createSocket(socket, host, port, true);
    SSLParameters parameters = secure.getSSLParameters();
    parameters.setServerNames(List.of(new SNIHostName(host)));
    parameters.setApplicationProtocols(protocols);
    secure.setSSLParameters(parameters);
    secure.startHandshake();
    return secure;
  }

  @Override
  public void once() throws Exception {
    try (Socket tcp = connect();
        Socket socket = secure(tcp, "http/1.1")) {
      send(socket, "GET /whoami HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
      InputStream in = new BufferedInputStream(socket.getInputStream());
      assertThat(read(in)).isEqualTo(address(tcp));
      if (!closes) {
        socket.shutdownOutput();
      }
      // An end, and no reset.
      assertThat(in.read()).isEqualTo(-1);
    }
  }

  @Override
  public void keepAlive() throws Exception {
    try (Socket tcp = connect();
        Socket socket = secure(tcp, "http/1.1")) {
      InputStream in = new BufferedInputStream(socket.getInputStream());
      for (int i = 0; i < REQUESTS; i++) {
        get(socket, "/whoami");
        assertThat(read(in)).isEqualTo(address(tcp));
      }
      get(socket, "/big");
      assertThat(sum(in)).isEqualTo(Payload.sum());
      send(
          socket,
          "POST /sum HTTP/1.1\r\nHost: "
              + host
              + "\r\nContent-Type: application/octet-stream\r\n"
              + "Content-Length: "
              + Payload.BYTES
              + "\r\n\r\n");
      Payload.write(socket.getOutputStream());
      assertThat(read(in)).isEqualTo(Payload.sum());
      get(socket, "/whoami");
      assertThat(read(in)).isEqualTo(address(tcp));
    }
  }

  @Override
  public void reset() throws IOException {
    Socket socket = connect();
    // The first bytes are there, so that the proxy hands it off; the reset follows at once.
    if (tls == null) {
      get(socket, "/whoami");
    } else {
      socket.getOutputStream().write(ClientHello.of(host));
    }
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public AutoCloseable open() throws Exception {
    Socket tcp = connect();
    Socket socket = secure(tcp, "http/1.1");
    get(socket, "/whoami");
    assertThat(read(new BufferedInputStream(socket.getInputStream()))).isEqualTo(address(tcp));
    return socket;
  }

  static String address(Socket tcp) {
    return "127.0.0.1:" + tcp.getLocalPort();
  }

  private void get(Socket socket, String path) throws IOException {
    send(socket, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static String read(InputStream in) throws IOException {
    return new String(body(in).readAllBytes(), US_ASCII);
  }

  private static String sum(InputStream in) throws IOException {
    return Payload.sum(body(in));
  }

  /** Reads a response's head; the rest of it is to be read from what is returned. */
  private static InputStream body(InputStream in) throws IOException {
    String status = line(in);
    assertThat(status).startsWith("HTTP/1.1 200");
    long length = -1;
    boolean chunked = false;
    for (String header = line(in); !header.isEmpty(); header = line(in)) {
      String field = header.toLowerCase(Locale.ROOT);
      if (field.startsWith("content-length:")) {
        length = Long.parseLong(field.substring(15).strip());
      }
      chunked |= field.startsWith("transfer-encoding:") && field.endsWith("chunked");
    }
    assertThat(length >= 0 || chunked).as("the response says where it ends").isTrue();
    return new Body(in, length, chunked);
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("the connection ended after: " + line);
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  /** The body of one response, of a length or in chunks (RFC 9112 section 7.1). */
  private static final class Body extends InputStream {
    private final InputStream in;
    private final boolean chunked;
    private long left;
    private boolean first = true;

    Body(InputStream in, long length, boolean chunked) {
      this.in = in;
      this.chunked = chunked;
      left = chunked ? 0 : length;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
      if (chunked && left == 0) {
        if (!first) {
          line(in);
        }
        first = false;
        left = Long.parseLong(line(in), 16);
        if (left == 0) {
          line(in);
          left = -1;
        }
      }
      if (left <= 0) {
        return -1;
      }
      int n = in.read(buffer, offset, (int) Math.min(length, left));
      if (n < 0) {
        throw new EOFException(left + " bytes are missing");
      }
      left -= n;
      return n;
    }
  }
}
