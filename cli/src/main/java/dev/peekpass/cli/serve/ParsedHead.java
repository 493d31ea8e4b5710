package dev.peekpass.cli.serve;

/** What {@link RequestHeadParser} makes of the bytes so far. */
sealed interface ParsedHead {
  /** The bytes are good so far and more are needed. */
  record Incomplete() implements ParsedHead {}

  /**
   * A whole head.
   *
   * @param lengthBytes of the head, with the empty line that ends it and those before it
   */
  record Found(RequestHead head, int lengthBytes) implements ParsedHead {}

  /**
   * A head to refuse; what follows it on the connection cannot be understood.
   *
   * @param status 400 to 599, RFC 9110 section 15
   * @param reason one line for the client and the log
   */
  record Refused(int status, String reason) implements ParsedHead {}
}
