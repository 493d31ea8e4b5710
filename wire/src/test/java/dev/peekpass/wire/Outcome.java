package dev.peekpass.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Says a parser's result in one comparable line, and runs parsers in the ways that tests need. */
final class Outcome {
  private Outcome() {}

  static String of(Parsed<Peeked> parsed) {
    return switch (parsed) {
      case Parsed.Incomplete<Peeked>(int needed) -> {
        if (needed < 1) {
          throw new AssertionError("needs " + needed + " bytes");
        }
        yield "incomplete";
      }
      case Parsed.Found<Peeked>(Peeked peeked) -> "found " + seen(peeked);
      case Parsed.Absent<Peeked>(Peeked peeked) -> "absent " + seen(peeked);
      case Parsed.Foreign<Peeked>() -> "foreign";
      case Parsed.TooLarge<Peeked>(int limit) -> "too large " + limit;
      case Parsed.Invalid<Peeked>(String reason) -> "invalid " + reason;
    };
  }

  private static String seen(Peeked peeked) {
    return peeked.protocol().label()
        + " "
        + peeked.host().raw()
        + " "
        + peeked.port()
        + " "
        + peeked.headEnd();
  }

  static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** All bytes at once, in a buffer that ends with them. */
  static String whole(HeadParser parser, byte[] flight) {
    parser.reset();
    return of(parser.parse(exactly(flight, flight.length), flight.length));
  }

  /** A direct buffer that holds the first {@code length} bytes and ends there. */
  static ByteBuffer exactly(byte[] flight, int length) {
    return ByteBuffer.allocateDirect(length).put(0, flight, 0, length);
  }

  /** One byte more at each call, until the parser has an answer or the bytes end. */
  static String byteByByte(HeadParser parser, byte[] flight) {
    parser.reset();
    ByteBuffer bytes = exactly(flight, flight.length);
    for (int length = 0; length < flight.length; length++) {
      Parsed<Peeked> parsed = parser.parse(bytes, length);
      if (!(parsed instanceof Parsed.Incomplete<Peeked>)) {
        return of(parsed);
      }
    }
    return of(parser.parse(bytes, flight.length));
  }
}
