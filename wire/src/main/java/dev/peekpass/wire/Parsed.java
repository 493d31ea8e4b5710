package dev.peekpass.wire;

/**
 * What a parser has to say about the bytes seen so far. Malformed, incomplete, "names no host" and
 * "another protocol" are four different outcomes, because a router that confuses them can be made
 * to misroute.
 *
 * @param <T> what a complete head holds
 */
public sealed interface Parsed<T> {

  /**
   * The bytes are a proper prefix of something valid.
   *
   * @param needed how many further bytes must come before another look can say more; at least 1, a
   *     lower bound and not a promise
   */
  record Incomplete<T>(int needed) implements Parsed<T> {}

  /**
   * Complete, valid, and names a host.
   *
   * @param value may be a view that its parser reuses: valid until that parser's next call
   */
  record Found<T>(T value) implements Parsed<T> {}

  /**
   * Complete, valid, and names no host: a ClientHello without server_name, an HTTP/1.0 head without
   * Host.
   *
   * @param value as in {@link Found}
   */
  record Absent<T>(T value) implements Parsed<T> {}

  /** Not this protocol: the first bytes cannot begin it. */
  record Foreign<T>() implements Parsed<T> {}

  /**
   * Of this protocol so far, but larger than the parser's limit, or announcing so.
   *
   * @param limitBytes the limit that is exceeded
   */
  record TooLarge<T>(int limitBytes) implements Parsed<T> {}

  /**
   * Of this protocol, and against its rules.
   *
   * @param reason one phrase for logs: what is wrong, with the RFC section
   */
  record Invalid<T>(String reason) implements Parsed<T> {}
}
