package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/** A file server on a loopback port, for tests. */
final class RunningServer implements Closeable {
  /** Limits that no test reaches unless it wants to. */
  static final ServeLimits LIMITS =
      new ServeLimits(
          1000,
          Duration.ofSeconds(60),
          Duration.ofSeconds(60),
          Duration.ofSeconds(60),
          Duration.ofSeconds(60),
          Duration.ofSeconds(60),
          Duration.ofSeconds(60));

  private final ListenerSource source = new ListenerSource();
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private final RequestLog requestLog =
      new RequestLog(new PrintStream(log, false, UTF_8), "test", false);
  private final FileServer server;
  private final Thread thread;

  RunningServer(Path directory, @Nullable SSLContext tls, ServeLimits limits) throws IOException {
    Responder responder = new Responder(Site.of(directory), true, "test", true, Clock.systemUTC());
    server = new FileServer(source, tls, responder, limits, requestLog);
    thread =
        Thread.ofPlatform()
            .start(() -> {
              try {
                server.run();
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
  }

  int port() {
    return source.port();
  }

  /** A connection to it; what is never answered fails the test by SO_TIMEOUT. */
  Socket connect() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), port());
    socket.setSoTimeout(30_000);
    return socket;
  }

  /** Sends bytes, then FIN, and reads to the end. */
  String exchange(String sent) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(sent.getBytes(ISO_8859_1));
      socket.shutdownOutput();
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    }
  }

  /** Sends bytes and reads to the end, without a FIN. */
  String exchangeOpen(String sent) throws IOException {
    try (Socket socket = connect()) {
      socket.getOutputStream().write(sent.getBytes(ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    }
  }

  /** Stops accepting, without waiting for the end. */
  void stop() throws IOException {
    server.close();
  }

  /** Waits for the end after {@link #stop()}. */
  void await() throws InterruptedException {
    thread.join();
  }

  /** Ends the server; then what it logged. */
  List<String> log() throws IOException {
    close();
    return log.toString(UTF_8).lines().toList();
  }

  @Override
  public void close() throws IOException {
    server.close();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    requestLog.close();
  }
}
