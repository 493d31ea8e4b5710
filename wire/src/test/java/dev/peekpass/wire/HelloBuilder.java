package dev.peekpass.wire;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Builds ClientHellos, good and bad ones, for tests. */
final class HelloBuilder {
  int version = 0x0303;
  byte[] sessionId = new byte[32];
  byte[] cipherSuites = {0x13, 0x01, 0x13, 0x02};
  byte[] compressionMethods = {0};
  byte @Nullable [] extensions = {};
  byte[] trailing = {};

  HelloBuilder extension(int type, byte... data) {
    byte[] before = extensions == null ? new byte[0] : extensions;
    extensions = join(before, u16(type), u16(data.length), data);
    return this;
  }

  HelloBuilder serverName(String name) {
    return extension(0, nameList(name(0, name)));
  }

  HelloBuilder alpn(String... names) {
    byte[] list = {};
    for (String name : names) {
      list = join(list, new byte[] {(byte) name.length()}, latin1(name));
    }
    return extension(16, join(u16(list.length), list));
  }

  /** The body of the handshake message. */
  byte[] body() {
    byte[] body =
        join(
            u16(version),
            new byte[32],
            new byte[] {(byte) sessionId.length},
            sessionId,
            u16(cipherSuites.length),
            cipherSuites,
            new byte[] {(byte) compressionMethods.length},
            compressionMethods);
    if (extensions != null) {
      body = join(body, u16(extensions.length), extensions);
    }
    return join(body, trailing);
  }

  /** The handshake message. */
  byte[] message() {
    return message(1, body());
  }

  /** The message in one record. */
  byte[] record() {
    return records(message(), 1 << 14);
  }

  static byte[] message(int type, byte[] body) {
    return join(new byte[] {(byte) type, (byte) (body.length >> 16)}, u16(body.length), body);
  }

  static byte[] record(int type, byte[] fragment) {
    return join(new byte[] {(byte) type, 3, 1}, u16(fragment.length), fragment);
  }

  static byte[] records(byte[] message, int fragmentBytes) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int at = 0; at < message.length; at += fragmentBytes) {
      int count = Math.min(fragmentBytes, message.length - at);
      byte[] fragment = new byte[count];
      System.arraycopy(message, at, fragment, 0, count);
      out.writeBytes(record(22, fragment));
    }
    return out.toByteArray();
  }

  static byte[] name(int type, String name) {
    return join(new byte[] {(byte) type}, u16(name.length()), latin1(name));
  }

  static byte[] nameList(byte[]... names) {
    byte[] list = join(names);
    return join(u16(list.length), list);
  }

  static byte[] u16(int value) {
    return new byte[] {(byte) (value >> 8), (byte) value};
  }

  static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }
}
