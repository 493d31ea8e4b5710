package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;

import java.io.ByteArrayOutputStream;
import java.util.HexFormat;

/** Writes the start of an HTTP/2 connection, right or wrong, frame by frame. */
final class Frames {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** The preface only. */
  static Frames preface() {
    Frames frames = new Frames();
    frames.out.writeBytes(latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    return frames;
  }

  /** The preface and an empty SETTINGS frame. */
  static Frames start() {
    return preface().frame(4, 0, 0, "");
  }

  /** A frame with a payload in hexadecimal. */
  Frames frame(int type, int flags, int stream, String payload) {
    return frame(type, flags, stream, hex(payload));
  }

  Frames frame(int type, int flags, int stream, byte[] payload) {
    return header(payload.length, type, flags, stream).bytes(payload);
  }

  /** A frame's header, whatever follows it. */
  Frames header(int length, int type, int flags, int stream) {
    for (int shift = 16; shift >= 0; shift -= 8) {
      out.write(length >> shift);
    }
    out.write(type);
    out.write(flags);
    for (int shift = 24; shift >= 0; shift -= 8) {
      out.write(stream >> shift);
    }
    return this;
  }

  /** A HEADERS frame on stream 1 with END_STREAM and END_HEADERS that holds these fields. */
  Frames request(String... namesAndValues) {
    return frame(1, 5, 1, block(namesAndValues));
  }

  Frames bytes(byte[] more) {
    out.writeBytes(more);
    return this;
  }

  byte[] done() {
    return out.toByteArray();
  }

  int size() {
    return out.size();
  }

  /** Fields as literals without indexing, with new names, without Huffman (RFC 7541 6.2.2). */
  static byte[] block(String... namesAndValues) {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    for (int i = 0; i < namesAndValues.length; i++) {
      if (i % 2 == 0) {
        block.write(0);
      }
      byte[] text = latin1(namesAndValues[i]);
      if (text.length < 127) {
        block.write(text.length);
      } else {
        block.write(127);
        int rest = text.length - 127;
        while (rest >= 128) {
          block.write((rest & 0x7f) | 0x80);
          rest >>= 7;
        }
        block.write(rest);
      }
      block.writeBytes(text);
    }
    return block.toByteArray();
  }

  static byte[] hex(String text) {
    return HexFormat.of().parseHex(text.replace(" ", ""));
  }
}
