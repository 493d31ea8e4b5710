package dev.peekpass.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Reads a PROXY protocol header, version 1 or 2 told apart by the first byte (The PROXY protocol,
 * versions 1 and 2, section 2).
 *
 * <p>The protocol warns (section 5) never to guess whether a header is there: a listener must know
 * from its configuration which peers send one, and demand it from them.
 *
 * <p>Keeps its place between calls as a {@link HeadParser} does, under the same rules; it may
 * allocate, since its result outlives it. One instance serves one connection at a time and is
 * reused after {@link #reset()}. Not thread-safe.
 */
public final class ProxyHeaderParser {
  static final byte[] TEXT_SIGNATURE = "PROXY ".getBytes(StandardCharsets.US_ASCII);
  static final byte[] BINARY_SIGNATURE = "\r\n\r\n\0\r\nQUIT\n".getBytes(StandardCharsets.US_ASCII);

  private static final Parsed<ProxyHeader> FOREIGN = new Parsed.Foreign<>();

  private final int limitBytes;
  private final ProxyBinaryParser binary = new ProxyBinaryParser();

  /**
   * A parser at the first byte of a connection.
   *
   * @param limitBytes the longest header to accept, at least 1; 107 is enough for version 1, 65,551
   *     for any
   */
  public ProxyHeaderParser(int limitBytes) {
    if (limitBytes < 1) {
      throw new IllegalArgumentException("limitBytes must be at least 1, is " + limitBytes);
    }
    this.limitBytes = limitBytes;
  }

  /** Forgets the connection, ready for another one. */
  public void reset() {
    binary.reset();
  }

  /**
   * Looks at a connection's first bytes, which are read absolutely. Never throws for any content.
   *
   * @param bytes the connection's bytes from its very first one on
   * @param length how many of them there are, not less than at the previous call
   * @return {@link Parsed.Found} for every valid header, with addresses or without, and {@link
   *     Parsed.Foreign} when the bytes begin neither version. Never {@link Parsed.Absent}
   */
  public Parsed<ProxyHeader> parse(ByteBuffer bytes, int length) {
    int seen = Math.min(length, limitBytes);
    if (seen == 0) {
      return new Parsed.Incomplete<>(1);
    }
    boolean isText = bytes.get(0) == TEXT_SIGNATURE[0];
    byte[] signature = isText ? TEXT_SIGNATURE : BINARY_SIGNATURE;
    int compared = Math.min(seen, signature.length);
    for (int i = 0; i < compared; i++) {
      if (bytes.get(i) != signature[i]) {
        return FOREIGN;
      }
    }
    Parsed<ProxyHeader> result;
    if (compared < signature.length) {
      result = new Parsed.Incomplete<>(1);
    } else if (isText) {
      result = ProxyTextParser.parse(bytes, seen);
    } else {
      result = binary.parse(bytes, seen, limitBytes);
    }
    boolean overLimit =
        result instanceof Parsed.Incomplete<ProxyHeader>(int needed) && needed > limitBytes - seen;
    return overLimit ? new Parsed.TooLarge<>(limitBytes) : result;
  }
}
