package dev.peekpass.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Finds the host in a connection's first bytes, whichever protocol they speak: TLS by its first
 * byte, HTTP/2 by its preface, otherwise HTTP/1. {@link Parsed.Foreign} when they are none of
 * these.
 */
public final class FirstFlightParser implements HeadParser {
  private static final int TLS_FIRST_BYTE = 22; // RFC 8446 section 5.1: handshake
  // RFC 9113 section 3.4.
  private static final byte[] PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
  // RFC 9113 section 11.6 takes the method PRI away from HTTP/1.
  private static final int PREFACE_METHOD_BYTES = "PRI ".length();

  private final ParserScratch scratch;
  private final ClientHelloParser tls;
  private final Http1Parser http1;
  private final Http2Parser http2;

  private @Nullable HeadParser chosen;
  private @Nullable Protocol protocol;

  /**
   * A parser at the first byte of a connection.
   *
   * @param scratch memory shared with the other parsers of the thread; its limit is this parser's
   */
  public FirstFlightParser(ParserScratch scratch) {
    this.scratch = scratch;
    tls = new ClientHelloParser(scratch);
    http1 = new Http1Parser(scratch);
    http2 = new Http2Parser(scratch);
  }

  /**
   * The protocol that the bytes were taken for by the last call of {@link #parse}, whether they
   * turned out to be valid or not: in its terms a connection is to be refused. Null before the
   * first byte, and when the bytes are {@link Parsed.Foreign}.
   */
  public @Nullable Protocol protocol() {
    return protocol;
  }

  @Override
  public void reset() {
    chosen = null;
    protocol = null;
    tls.reset();
    http1.reset();
    http2.reset();
  }

  @Override
  public Parsed<Peeked> parse(ByteBuffer bytes, int length) {
    HeadParser parser = chosen;
    if (parser == null) {
      parser = choose(bytes, Math.min(length, scratch.limitBytes()));
      if (parser == null) {
        // The next byte may break with the preface and with HTTP/1 as well.
        return length < scratch.limitBytes() ? new Parsed.Incomplete<>(1) : scratch.tooLarge();
      }
      chosen = parser;
    }
    Parsed<Peeked> result = parser.parse(bytes, length);
    if (result instanceof Parsed.Foreign) {
      protocol = null;
    }
    return result;
  }

  /** The parser that the bytes are for, or null while they are too few to tell. */
  private @Nullable HeadParser choose(ByteBuffer bytes, int seen) {
    if (seen == 0) {
      return null;
    }
    if (bytes.get(0) == TLS_FIRST_BYTE) {
      protocol = Protocol.TLS;
      return tls;
    }
    int compared = Math.min(seen, PREFACE.length);
    for (int i = 0; i < compared; i++) {
      if (bytes.get(i) != PREFACE[i]) {
        protocol = Protocol.HTTP1;
        return http1;
      }
    }
    protocol = compared < PREFACE_METHOD_BYTES ? Protocol.HTTP1 : Protocol.HTTP2;
    return compared == PREFACE.length ? http2 : null;
  }
}
