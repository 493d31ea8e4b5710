package dev.peekpass.it;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/** Clients that connect, ask and check the whole answer, over and over, and keep a log of it. */
final class Load implements AutoCloseable {
  private static final int CLIENTS = 3;
  private static final int PATIENCE_MILLIS = 60_000;

  private final int port;
  private final String body;
  private final List<Thread> threads = new ArrayList<>();
  private final Queue<String> failures = new ConcurrentLinkedQueue<>();
  private final AtomicLong served = new AtomicLong();
  private volatile boolean stopped;

  /**
   * Begins.
   *
   * @param host whom to ask for
   * @param body what every answer must end with
   */
  Load(int port, String host, String body) {
    this.port = port;
    this.body = body;
    String request = "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    for (int i = 0; i < CLIENTS; i++) {
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                while (!stopped) {
                  connect(request);
                }
              }));
    }
  }

  private void connect(String request) {
    int local = 0;
    try (Socket client = new Socket(InetAddress.getLoopbackAddress(), port)) {
      local = client.getLocalPort();
      client.setSoTimeout(PATIENCE_MILLIS);
      // In two parts, so that many are pending when something happens.
      client.getOutputStream().write(request.substring(0, 9).getBytes(StandardCharsets.US_ASCII));
      client.getOutputStream().flush();
      client.getOutputStream().write(request.substring(9).getBytes(StandardCharsets.US_ASCII));
      InputStream in = client.getInputStream();
      String answer = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
      if (answer.startsWith("HTTP/1.1 200 ") && answer.endsWith(body)) {
        served.incrementAndGet();
      } else {
        failures.add(local + ": answered: " + answer);
      }
    } catch (IOException e) {
      failures.add(local + ": " + e);
    }
  }

  /** How many connections were served rightly. */
  long served() {
    return served.get();
  }

  /** What became of every connection that was not. */
  List<String> failures() {
    return List.copyOf(failures);
  }

  /** Ends what is under way and stops. */
  void stop() throws InterruptedException {
    stopped = true;
    for (Thread thread : threads) {
      thread.join();
    }
  }

  @Override
  public void close() {
    stopped = true;
  }
}
