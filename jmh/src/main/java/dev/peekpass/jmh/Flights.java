package dev.peekpass.jmh;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** First bytes of connections, as the proxy peeks them: outside the heap. */
final class Flights {
  /** What a TCP segment carries on an Ethernet with time stamps. */
  static final int SEGMENT_BYTES = 1448;

  private Flights() {}

  /**
   * What a real client sent.
   *
   * @param name below {@code wire/src/test/resources}
   */
  static ByteBuffer captured(String name) {
    try (InputStream in = Flights.class.getResourceAsStream("/" + name)) {
      return direct(Objects.requireNonNull(in, name).readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A ClientHello in the shape of a browser's of 2025: GREASE, a post-quantum key share
   * (X25519MLKEM768) and ECH, with padding up to a length.
   *
   * @param bytes how long it is, the record's header included
   */
  static ByteBuffer browserHello(String host, int bytes) {
    ByteArrayOutputStream extensions = new ByteArrayOutputStream();
    extension(extensions, 0x4a4a, 0);
    byte[] name = host.getBytes(StandardCharsets.US_ASCII);
    u16(extensions, 0);
    u16(extensions, name.length + 5);
    u16(extensions, name.length + 3);
    extensions.write(0);
    u16(extensions, name.length);
    extensions.writeBytes(name);
    extension(extensions, 23, 0);
    extension(extensions, 0xff01, 1);
    extension(extensions, 10, 12);
    extension(extensions, 11, 2);
    extension(extensions, 35, 0);
    byte[] alpn = "\2h2\10http/1.1".getBytes(StandardCharsets.US_ASCII);
    u16(extensions, 16);
    u16(extensions, alpn.length + 2);
    u16(extensions, alpn.length);
    extensions.writeBytes(alpn);
    extension(extensions, 5, 5);
    extension(extensions, 13, 18);
    extension(extensions, 18, 0);
    extension(extensions, 51, 1263);
    extension(extensions, 45, 2);
    extension(extensions, 43, 7);
    extension(extensions, 27, 3);
    extension(extensions, 0x4469, 5);
    extension(extensions, 0xfe0d, 218);
    extension(extensions, 0x1a1a, 1);
    // Record and message header 9, version to session id 67, cipher suites 34, compression 2.
    int before = 9 + 67 + 34 + 2 + 2;
    extension(extensions, 21, bytes - before - extensions.size() - 4);

    ByteArrayOutputStream hello = new ByteArrayOutputStream();
    hello.writeBytes(new byte[] {22, 3, 1});
    u16(hello, bytes - 5);
    hello.write(1);
    hello.write(0);
    u16(hello, bytes - 9);
    u16(hello, 0x0303);
    hello.writeBytes(new byte[32]);
    hello.write(32);
    hello.writeBytes(new byte[32]);
    u16(hello, 32);
    hello.writeBytes(new byte[32]);
    hello.write(1);
    hello.write(0);
    u16(hello, extensions.size());
    hello.writeBytes(extensions.toByteArray());
    if (hello.size() != bytes) {
      throw new IllegalStateException("the hello has " + hello.size() + " bytes, not " + bytes);
    }
    return direct(hello.toByteArray());
  }

  /** Adds an extension of a type whose content the parser does not look into. */
  private static void extension(ByteArrayOutputStream to, int type, int length) {
    u16(to, type);
    u16(to, length);
    to.writeBytes(new byte[length]);
  }

  private static void u16(ByteArrayOutputStream to, int value) {
    to.write(value >>> 8);
    to.write(value);
  }

  static ByteBuffer direct(byte[] bytes) {
    return ByteBuffer.allocateDirect(bytes.length).put(0, bytes);
  }
}
