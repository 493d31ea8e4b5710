package dev.peekpass.proxy.status;

import java.util.Locale;

/** How a connection ended for the proxy. Every accepted connection has exactly one. */
public enum Outcome {
  /** Handed off to the backend of a route. */
  PASSED,
  /** Handed off to the fallback backend. */
  PASSED_TO_FALLBACK,
  /** It named a host that no route matches, and the fallback rejects. */
  REFUSED_NO_ROUTE,
  /** A complete, valid head without a host name, and the fallback rejects. */
  REFUSED_NO_HOST,
  /** Neither TLS nor HTTP, and the fallback rejects. */
  REFUSED_FOREIGN,
  /** TLS or HTTP against its rules. */
  REFUSED_MALFORMED,
  /** A head larger than max-peek. */
  REFUSED_TOO_LARGE,
  /** Its backend took no connection within hand-off-timeout, or max-queue others waited for it. */
  REFUSED_UNAVAILABLE,
  /** Its receiver ended after it had touched the connection and before it acknowledged it. */
  LOST,
  /** The head was not complete within peek-timeout. */
  TIMED_OUT,
  /** The client ended its side before the head was complete. */
  TRUNCATED,
  /** The client reset the connection, or the connection failed. */
  RESET,
  /**
   * Given up, being the oldest incomplete one of the client that had most of them, because
   * max-pending or the descriptor limit was reached.
   */
  SHED,
  /** Turned away when it was accepted, by the listener's allow or deny. */
  DENIED,
  /** Turned away when it was accepted, because of max-pending-per-client or max-new-per-client. */
  LIMITED,
  /** The proxy stopped first. */
  STOPPED,
  /** A fault in Peekpass itself, logged with its stack trace. */
  FAILED;

  private final String label = name().toLowerCase(Locale.ROOT).replace('_', '-');

  /** The name in logs and metrics, such as {@code refused-no-route}. */
  public String label() {
    return label;
  }
}
