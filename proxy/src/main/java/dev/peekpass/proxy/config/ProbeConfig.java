package dev.peekpass.proxy.config;

import java.time.Duration;
import java.util.List;

/**
 * How to find out whether a backend's receivers do their work ({@code probe}).
 *
 * @param question what each is asked
 * @param every from one probe of a socket to the next, 100 ms to 5 minutes
 * @param timeout how long a probe may take, 10 ms to 1 minute
 * @param rise after how many good answers in a row a socket is back, 1 to 100
 * @param fall after how many bad ones in a row it is out, 1 to 100
 */
public record ProbeConfig(Question question, Duration every, Duration timeout, int rise, int fall) {

  /** What is asked. */
  public sealed interface Question {}

  /**
   * A GET request of HTTP/1.1.
   *
   * @param path of the request, begins with a slash
   * @param host of the request
   * @param statuses those that are good; empty: 200 to 399
   */
  public record Http(String path, String host, List<Integer> statuses) implements Question {
    /** Copies the list. */
    public Http {
      statuses = List.copyOf(statuses);
    }
  }

  /**
   * A TLS handshake; whose certificate it is, is not looked at.
   *
   * @param serverName what it is asked for
   */
  public record Tls(String serverName) implements Question {}
}
