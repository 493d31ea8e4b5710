package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * TLS 1.2 or 1.3, by the JDK's SSLSocket on top of the channel's own socket view.
 *
 * <p>SSLSocket and not SSLEngine: key updates, post-handshake messages and half-closing are then
 * the JDK's business, and on a virtual thread its blocking calls cost no thread.
 */
final class TlsTransport implements Transport {
  // What one TLS record holds, RFC 8446 section 5.1.
  private static final int CHUNK_BYTES = 16_384;

  private final SocketChannel channel;
  private final SSLSocket socket;
  private final InputStream in;
  private final OutputStream out;
  private final ClientFacts.Tls facts;
  private byte @Nullable [] chunk;

  /**
   * Does the handshake.
   *
   * @param channel in blocking mode
   * @param first bytes already read from it
   * @throws IOException if the handshake fails; the client then has its alert
   */
  TlsTransport(SSLContext context, SocketChannel channel, byte[] first) throws IOException {
    this.channel = channel;
    socket =
        (SSLSocket)
            context
                .getSocketFactory()
                .createSocket(channel.socket(), new ByteArrayInputStream(first), true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3", "TLSv1.2"});
    parameters.setApplicationProtocols(new String[] {"http/1.1"});
    parameters.setUseCipherSuitesOrder(true);
    socket.setSSLParameters(parameters);
    socket.startHandshake();
    in = socket.getInputStream();
    out = socket.getOutputStream();
    facts = facts(socket);
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    return in.read(bytes, offset, length);
  }

  @Override
  public int write(byte[] bytes, int offset, int length) throws IOException {
    int count = Math.min(length, CHUNK_BYTES);
    out.write(bytes, offset, count);
    return count;
  }

  @Override
  @SuppressWarnings("ThreadPriorityCheck") // for fairness, not for correctness
  public long send(FileChannel file, long from, long lengthBytes) throws IOException {
    if (chunk == null) {
      chunk = new byte[CHUNK_BYTES];
    }
    ByteBuffer some = ByteBuffer.wrap(chunk, 0, (int) Math.min(lengthBytes, CHUNK_BYTES));
    int count = file.read(some, from);
    if (count <= 0) {
      return 0;
    }
    out.write(chunk, 0, count);
    Thread.yield();
    return count;
  }

  @Override
  public void finish() throws IOException {
    socket.shutdownOutput();
    channel.shutdownOutput();
  }

  @Override
  public Optional<ClientFacts.Tls> tls() {
    return Optional.of(facts);
  }

  private static ClientFacts.Tls facts(SSLSocket socket) {
    ExtendedSSLSession session = (ExtendedSSLSession) socket.getSession();
    String serverName =
        session.getRequestedServerNames().stream()
            .findFirst()
            .map(name -> new String(name.getEncoded(), US_ASCII))
            .orElse("");
    return new ClientFacts.Tls(session.getProtocol(), serverName, socket.getApplicationProtocol());
  }
}
