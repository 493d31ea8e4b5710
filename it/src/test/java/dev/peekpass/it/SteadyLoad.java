package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * New connections at a steady rate, each with one request of its own number, each with an entry in
 * a log: what came, from which backend, whether the body is the right one.
 */
final class SteadyLoad implements AutoCloseable {
  private static final int PATIENCE_MILLIS = 90_000;

  private final int port;
  private final String path;
  private final String digest;
  private final long gapNanos;
  private final AtomicInteger numbers = new AtomicInteger();
  private final AtomicInteger open = new AtomicInteger();
  private final Queue<Entry> entries = new ConcurrentLinkedQueue<>();
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean stopped;

  /**
   * What one connection came to.
   *
   * @param number the request's, in its query and so in the backends' logs
   * @param begunNanos when it was connected
   * @param endedNanos when it had come to this
   * @param localPort of the client, as in the proxy's log
   * @param backend the X-Backend of the response, or empty
   * @param failure why it is none of 200 with the right body; empty when it is
   */
  record Entry(
      int number, long begunNanos, long endedNanos, int localPort, String backend, String failure) {
    boolean failed() {
      return !failure.isEmpty();
    }
  }

  /**
   * Begins at once.
   *
   * @param digest SHA-256 of the body that is right, in hexadecimal
   */
  SteadyLoad(int port, String path, String digest, int connectionsASecond) {
    this.port = port;
    this.path = path;
    this.digest = digest;
    gapNanos = TimeUnit.SECONDS.toNanos(1) / connectionsASecond;
    Thread.ofPlatform().name("load").start(this::run);
  }

  private void run() {
    long next = System.nanoTime();
    while (!stopped) {
      open.incrementAndGet();
      Thread.startVirtualThread(() -> {
        entries.add(request(numbers.incrementAndGet()));
        open.decrementAndGet();
      });
      next += gapNanos;
      LockSupport.parkNanos(next - System.nanoTime());
    }
    ended.countDown();
  }

  private Entry request(int number) {
    long begun = System.nanoTime();
    int localPort = 0;
    String backend = "";
    String failure = "";
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(PATIENCE_MILLIS);
      localPort = socket.getLocalPort();
      String head =
          "GET "
              + path
              + "?n="
              + number
              + " HTTP/1.1\r\nHost: "
              + Site.NAME
              + "\r\nConnection: close\r\n\r\n";
      socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
      InputStream in = socket.getInputStream();
      String answer = readHead(in);
      byte[] body = in.readAllBytes();
      for (String line : answer.lines().toList()) {
        // Servers may write a header's name as they like.
        if (line.regionMatches(true, 0, "X-Backend: ", 0, "X-Backend: ".length())) {
          backend = line.substring("X-Backend: ".length());
        }
      }
      if (!answer.startsWith("HTTP/1.1 200 ")) {
        failure = answer.isEmpty() ? "no answer" : answer.lines().findFirst().orElse("");
      } else if (!sha256(body).equals(digest)) {
        failure = "a body of " + body.length + " bytes that is not the right one";
      }
    } catch (IOException e) {
      failure = e.toString();
    }
    return new Entry(number, begun, System.nanoTime(), localPort, backend, failure);
  }

  private static String readHead(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    for (int b = in.read(); b >= 0; b = in.read()) {
      head.append((char) b);
      if (head.length() > 3 && head.indexOf("\r\n\r\n", head.length() - 4) >= 0) {
        break;
      }
    }
    return head.toString();
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  /** The number of the connection begun last. */
  int begun() {
    return numbers.get();
  }

  /** How many connections have come to something. */
  int done() {
    return entries.size();
  }

  /** Those so far. */
  Queue<Entry> entries() {
    return entries;
  }

  /** Makes no more connections, and waits until each has come to something. */
  @Override
  public void close() {
    stopped = true;
    try {
      ended.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    Running.await("every connection has come to something", () -> open.get() == 0);
  }
}
