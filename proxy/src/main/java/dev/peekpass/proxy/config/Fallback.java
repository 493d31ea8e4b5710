package dev.peekpass.proxy.config;

/** Where a connection goes for which no route is found. */
public sealed interface Fallback {

  /**
   * To a backend.
   *
   * @param index its place among the configuration's backends
   * @param name its name
   */
  record ToBackend(int index, String name) implements Fallback {}

  /**
   * Nowhere: it is answered and closed.
   *
   * @param kind the answer
   * @param httpStatus the status code, 400 to 599; of use with {@link Kind#HTTP_STATUS} only
   */
  record Reject(Kind kind, int httpStatus) implements Fallback {}

  /** The answers of {@link Reject}. What they do not name is closed without a byte. */
  enum Kind {
    /** TLS: a fatal unrecognized_name alert (RFC 6066 section 3). */
    TLS_ALERT("tls-alert"),
    /** Each in its own protocol. TLS: that alert. HTTP/1: the status code. HTTP/2: GOAWAY. */
    HTTP_STATUS("http-status"),
    /** Nobody is told anything. */
    CLOSE("close");

    private final String label;

    Kind(String label) {
      this.label = label;
    }

    /** The name in a configuration. */
    public String label() {
      return label;
    }
  }

  /**
   * The status code when none is given: 421 Misdirected Request (RFC 9110 section 15.5.20), which
   * says what is the case: this server does not answer for that host. Unlike 404 it denies nothing
   * about the resource, and unlike 503 it does not invite the client to try again here.
   */
  int DEFAULT_HTTP_STATUS = 421;
}
