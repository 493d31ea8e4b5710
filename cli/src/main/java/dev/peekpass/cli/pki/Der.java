package dev.peekpass.cli.pki;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/** Writes the little of DER (ITU-T X.690) that keys and certificates need. */
final class Der {
  /** NULL. */
  static final byte[] NULL = {5, 0};

  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuMMddHHmmss'Z'");

  private Der() {}

  /** SEQUENCE. */
  static byte[] sequence(byte[]... parts) {
    return element(0x30, parts);
  }

  /** SET of elements that are already in order. */
  static byte[] set(byte[]... parts) {
    return element(0x31, parts);
  }

  /** INTEGER. */
  static byte[] integer(BigInteger value) {
    return element(2, value.toByteArray());
  }

  /** INTEGER. */
  static byte[] integer(long value) {
    return integer(BigInteger.valueOf(value));
  }

  /** BOOLEAN TRUE. */
  static byte[] yes() {
    return element(1, new byte[] {(byte) 0xff});
  }

  /** OCTET STRING. */
  static byte[] octetString(byte[]... parts) {
    return element(4, parts);
  }

  /** BIT STRING of whole bytes. */
  static byte[] bitString(byte[] bytes) {
    return element(3, new byte[] {0}, bytes);
  }

  /**
   * BIT STRING of one byte, the last bits of which are unused.
   *
   * @param unused how many, 0 to 7
   */
  static byte[] bits(int bits, int unused) {
    return element(3, new byte[] {(byte) unused, (byte) bits});
  }

  /** UTF8String. */
  static byte[] utf8(String text) {
    return element(12, text.getBytes(UTF_8));
  }

  /** UTCTime, which RFC 5280 section 4.1.2.5 demands before 2050; in whole seconds. */
  static byte[] time(Instant instant) {
    return element(0x17, TIME.format(instant.atOffset(ZoneOffset.UTC)).getBytes(US_ASCII));
  }

  /** OBJECT IDENTIFIER in dotted form. */
  static byte[] oid(String dotted) {
    String[] arcs = dotted.split("\\.", -1);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(Integer.parseInt(arcs[0]) * 40 + Integer.parseInt(arcs[1]));
    for (int i = 2; i < arcs.length; i++) {
      int arc = Integer.parseInt(arcs[i]);
      for (int shift = 28; shift > 0; shift -= 7) {
        if (arc >>> shift != 0) {
          out.write(0x80 | (arc >>> shift));
        }
      }
      out.write(arc & 0x7f);
    }
    return element(6, out.toByteArray());
  }

  /** A context-specific element that holds others. */
  static byte[] explicit(int tag, byte[]... parts) {
    return element(0xa0 | tag, parts);
  }

  /** A context-specific element that holds bytes. */
  static byte[] implicit(int tag, byte[] bytes) {
    return element(0x80 | tag, bytes);
  }

  /**
   * Takes the next element off a buffer: tag, then content.
   *
   * @param tag the one that must come
   * @return the content
   * @throws IllegalArgumentException if another comes, or none, or one that is cut short
   */
  static ByteBuffer take(ByteBuffer in, int tag) {
    if (in.remaining() < 2 || (in.get() & 0xff) != tag) {
      throw new IllegalArgumentException("no element with tag " + tag);
    }
    int length = in.get() & 0xff;
    if (length >= 0x80) {
      int lengthBytes = length & 0x7f;
      if (lengthBytes == 0 || lengthBytes > 3 || lengthBytes > in.remaining()) {
        throw new IllegalArgumentException("a length that DER does not have");
      }
      length = 0;
      for (int i = 0; i < lengthBytes; i++) {
        length = (length << 8) | (in.get() & 0xff);
      }
    }
    if (length > in.remaining()) {
      throw new IllegalArgumentException("an element that is cut short");
    }
    ByteBuffer content = in.slice(in.position(), length);
    in.position(in.position() + length);
    return content;
  }

  private static byte[] element(int tag, byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(length + 5);
    out.write(tag);
    if (length < 0x80) {
      out.write(length);
    } else {
      int lengthBytes = (39 - Integer.numberOfLeadingZeros(length)) / 8;
      out.write(0x80 | lengthBytes);
      for (int i = lengthBytes - 1; i >= 0; i--) {
        out.write(length >>> (8 * i));
      }
    }
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }
}
