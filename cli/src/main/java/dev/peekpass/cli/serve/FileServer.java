package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** Serves a site to the connections of a source, each on a virtual thread of its own. */
final class FileServer implements Closeable {
  private static final byte[] BUSY =
      String.join(
              "\r\n",
              "HTTP/1.1 503 Service Unavailable",
              "Content-Length: 0",
              "Retry-After: 1",
              "Connection: close",
              "",
              "")
          .getBytes(US_ASCII);
  // RFC 8446 section 6: a fatal alert, internal_error; TLS knows no "busy".
  private static final byte[] TLS_BUSY = {0x15, 3, 3, 0, 2, 2, 80};
  private static final int TLS_HANDSHAKE = 0x16;
  private static final int MAX_REFUSED_BYTES = 16_384;
  // So that a source that fails again and again does not take a core.
  private static final Duration PAUSE_AFTER_FAILURE = Duration.ofMillis(100);

  private final ConnectionSource source;
  private final @Nullable SSLContext tls;
  private final Responder responder;
  private final ServeLimits limits;
  private final RequestLog log;
  private final Deadlines deadlines = new Deadlines(System::nanoTime);
  private final Set<HttpConnection> connections = ConcurrentHashMap.newKeySet();
  private volatile boolean running;

  /**
   * A server.
   *
   * @param source drained by {@link #close()} and closed at the end of {@link #run()}, or by {@code
   *     close} when that never ran
   * @param tls null to serve plain HTTP alone
   * @param log not closed
   */
  FileServer(
      ConnectionSource source,
      @Nullable SSLContext tls,
      Responder responder,
      ServeLimits limits,
      RequestLog log) {
    this.source = source;
    this.tls = tls;
    this.responder = responder;
    this.limits = limits;
    this.log = log;
  }

  /**
   * Accepts and serves until {@link #close()}, then what was sent before that, and then until the
   * responses under way are done or out of time. To be called from a platform thread, once.
   */
  void run() throws InterruptedException, IOException {
    running = true;
    try (source) {
      accept();
      finish();
    }
  }

  private void accept() throws InterruptedException {
    while (true) {
      try {
        SocketChannel channel = source.accept();
        if (connections.size() >= limits.maxConnections()) {
          refuse(channel);
        } else {
          start(channel);
        }
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        TimeUnit.MILLISECONDS.sleep(PAUSE_AFTER_FAILURE.toMillis());
      }
    }
  }

  /** Lets nothing more come; {@link #run()} then comes to its end. */
  @Override
  public void close() throws IOException {
    if (running) {
      source.drain();
    } else {
      source.close();
    }
  }

  private void start(SocketChannel channel) throws IOException {
    HttpConnection connection = new HttpConnection(channel, tls, responder, limits, deadlines, log);
    connections.add(connection);
    Thread.ofVirtual()
        .name("connection")
        .start(() -> {
          try {
            connection.run();
          } finally {
            connections.remove(connection);
          }
        });
  }

  // Waits for nothing: what the client sent is read if it is here, so that the answer is not lost
  // to a reset, and the answer fits an empty send buffer.
  private static void refuse(SocketChannel channel) throws IOException {
    try (channel) {
      channel.configureBlocking(false);
      ByteBuffer sent = ByteBuffer.allocate(MAX_REFUSED_BYTES);
      boolean tls = channel.read(sent) > 0 && sent.get(0) == TLS_HANDSHAKE;
      channel.write(ByteBuffer.wrap(tls ? TLS_BUSY : BUSY));
      channel.shutdownOutput();
    }
  }

  private void finish() throws InterruptedException {
    long end = System.nanoTime() + limits.stop().toNanos();
    connections.forEach(HttpConnection::stop);
    while (!connections.isEmpty() && System.nanoTime() - end < 0) {
      TimeUnit.MILLISECONDS.sleep(10);
    }
    connections.forEach(HttpConnection::abort);
    deadlines.close();
  }
}
