package dev.peekpass.wire;

import java.nio.ByteBuffer;

/** Outcomes of a {@link HeadParser} as one line of text, so that tests can compare all of it. */
final class HeadOutcome {
  private HeadOutcome() {}

  static String of(Parsed<Peeked> parsed) {
    return switch (parsed) {
      case Parsed.Incomplete<Peeked>(int needed) -> "incomplete " + needed;
      case Parsed.Foreign<Peeked>() -> "foreign";
      case Parsed.TooLarge<Peeked>(int limitBytes) -> "too large " + limitBytes;
      case Parsed.Invalid<Peeked>(String reason) -> "invalid: " + reason;
      case Parsed.Found<Peeked>(Peeked peeked) -> "found " + values(peeked);
      case Parsed.Absent<Peeked>(Peeked peeked) -> "absent " + values(peeked);
    };
  }

  static boolean isIncomplete(Parsed<Peeked> parsed) {
    return parsed instanceof Parsed.Incomplete;
  }

  private static String values(Peeked peeked) {
    return "%s name=%s alpn=%s end=%d records=%d ech=%s"
        .formatted(
            peeked.protocol(),
            peeked.host().raw(),
            peeked.alpn().toList(),
            peeked.headEnd(),
            peeked.records(),
            peeked.encryptedClientHello());
  }

  /** All bytes in one call. The buffer ends with them, so that reading on would throw. */
  static String whole(HeadParser parser, byte[] bytes) {
    parser.reset();
    return of(parser.parse(exact(bytes, bytes.length), bytes.length));
  }

  /**
   * The bytes in segments, in a buffer that ends with what has come, until the outcome is settled.
   *
   * @param segmentBytes the sizes, used in turn
   */
  static String segmented(HeadParser parser, byte[] bytes, int... segmentBytes) {
    parser.reset();
    int length = 0;
    for (int i = 0; length < bytes.length; i++) {
      length = Math.min(bytes.length, length + segmentBytes[i % segmentBytes.length]);
      Parsed<Peeked> parsed = parser.parse(exact(bytes, length), length);
      if (!isIncomplete(parsed) || length == bytes.length) {
        return of(parsed);
      }
    }
    return of(parser.parse(exact(bytes, length), length));
  }

  /** A buffer of exactly these bytes, not at offset 0 of its array. */
  static ByteBuffer exact(byte[] bytes, int length) {
    ByteBuffer buffer = ByteBuffer.allocate(length + 7).slice(7, length);
    buffer.put(0, bytes, 0, length);
    return buffer;
  }
}
