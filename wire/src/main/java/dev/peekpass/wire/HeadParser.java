package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * Finds the host that a connection's first bytes name. Keeps its place between calls, so that a
 * head that arrives in n pieces costs O(bytes) and not O(bytes × n).
 *
 * <p>One instance serves one connection at a time and is reused after {@link #reset()}. Not
 * thread-safe.
 */
public interface HeadParser {

  /**
   * Looks at a connection's first bytes.
   *
   * <p>Reads absolutely, leaving {@code bytes}' position and limit alone. Never throws for any
   * content, and allocates nothing unless the result is {@link Parsed.Incomplete}.
   *
   * @param bytes the connection's bytes from its very first one on. Between two calls without a
   *     {@link #reset()} the buffer may be another one, but it must begin with the same bytes
   * @param length how many of them there are, not less than at the previous call; 0 is allowed
   * @return what they say. Once it is not {@link Parsed.Incomplete} the parser must be reset before
   *     its next use. A {@link Peeked} in it is valid until the next call on any parser that shares
   *     the same {@link ParserScratch}; so is {@link ParserScratch#soFar()} after {@link
   *     Parsed.Invalid}
   */
  Parsed<Peeked> parse(ByteBuffer bytes, int length);

  /** Forgets the connection, ready for another one. */
  void reset();
}
