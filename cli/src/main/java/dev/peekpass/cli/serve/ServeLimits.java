package dev.peekpass.cli.serve;

import java.time.Duration;

/**
 * The limits of the file server.
 *
 * @param maxConnections served at once; one more is answered with 503
 * @param handshake from accept to the end of the TLS handshake
 * @param head from accept, or from the first byte of a later request, to the end of its head
 * @param idle between a response and the next request
 * @param stall how long a write may make no progress
 * @param linger for how long to read on after the last response, so that the client sees it and not
 *     a reset
 * @param stop for how long running responses may go on after a stop
 */
record ServeLimits(
    int maxConnections,
    Duration handshake,
    Duration head,
    Duration idle,
    Duration stall,
    Duration linger,
    Duration stop) {
  /** The longest request body that is read, to be thrown away, for the sake of the connection. */
  static final int MAX_DISCARDED_BODY_BYTES = 65_536;

  /** How much is read on after the last response. */
  static final int MAX_LINGER_BYTES = 1 << 20;

  /** What {@code serve} uses. */
  static ServeLimits standard(int maxConnections) {
    return new ServeLimits(
        maxConnections,
        Duration.ofSeconds(10),
        Duration.ofSeconds(10),
        Duration.ofSeconds(60),
        Duration.ofSeconds(30),
        Duration.ofSeconds(2),
        Duration.ofSeconds(5));
  }
}
