package dev.peekpass.proxy.probe;

import dev.peekpass.proxy.config.ProbeConfig;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** Asks by a request of HTTP/1.1. */
final class HttpQuestion {
  private static final int MAX_LINE_BYTES = 1024;
  private static final int MAX_REST_BYTES = 1 << 16;

  private HttpQuestion() {}

  /** Sends the request, which comes before the hand-off, as clients' first bytes do. */
  static void send(ProbeConfig.Http http, Socket socket) throws IOException {
    String request =
        "GET "
            + http.path()
            + " HTTP/1.1\r\nHost: "
            + http.host()
            + "\r\nUser-Agent: Peekpass probe\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
  }

  /** Waits for the response. Whoever closes the socket ends the wait. */
  static Finding receive(ProbeConfig.Http http, Socket socket) throws IOException {
    InputStream in = socket.getInputStream();
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) {
      line.append((char) c);
      if (line.length() > MAX_LINE_BYTES) {
        return new Finding.Bad("the response has no status line");
      }
    }
    Finding answer = judge(http, line.toString());
    if (answer instanceof Finding.Good) {
      readRest(in);
    }
    return answer;
  }

  /** What a status line says, its CR and all. */
  static Finding judge(ProbeConfig.Http http, String line) {
    // RFC 9112 section 4.
    if (!line.matches("HTTP/1\\.[01] [1-5][0-9][0-9]( .*)?\r?")) {
      return new Finding.Bad(
          line.isEmpty() ? "the connection ends without a response" : "this is not HTTP/1");
    }
    int status = Integer.parseInt(line, 9, 12, 10);
    boolean good =
        http.statuses().isEmpty()
            ? status >= 200 && status < 400
            : http.statuses().contains(status);
    return good ? new Finding.Good() : new Finding.Bad("the status is " + status);
  }

  /** So that the receiver's response does not meet a reset; what becomes of it does not matter. */
  private static void readRest(InputStream in) {
    try {
      in.readNBytes(MAX_REST_BYTES);
    } catch (IOException e) {
      // It has answered.
    }
  }
}
