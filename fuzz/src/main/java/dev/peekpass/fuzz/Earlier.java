package dev.peekpass.fuzz;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * Connections that a parser may have had before: each says all that its protocol may say, so that
 * whatever is left of it shows.
 */
final class Earlier {
  private static final String ZEROS = "00".repeat(32);

  /**
   * A ClientHello for b.example that offers h2 and http/1.1 and has an encrypted one in it, in one
   * record and in three.
   */
  static final List<byte[]> TLS = List.of(records(hello(), 4096), records(hello(), 40));

  static final List<byte[]> HTTP1 =
      List.of(
          latin1("GET http://b.example:8080/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n"),
          latin1("CONNECT [2001:db8::7]:444 HTTP/1.1\r\nX: y\r\nHost: [2001:db8::7]:444\r\n\r\n"));

  /** A request whose fields enter HPACK's table, in HEADERS and in a CONTINUATION. */
  static final List<byte[]> HTTP2 = List.of(request());

  static final List<byte[]> ALL = Stream.of(TLS, HTTP1, HTTP2).flatMap(List::stream).toList();

  private Earlier() {}

  private static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** A number of so many bytes, then bytes: their length before them. */
  private static byte[] counted(int lengthBytes, byte[]... parts) {
    byte[] all = join(parts);
    byte[] number = new byte[lengthBytes];
    for (int i = 0; i < lengthBytes; i++) {
      number[i] = (byte) (all.length >>> (8 * (lengthBytes - 1 - i)));
    }
    return join(number, all);
  }

  private static byte[] join(byte[]... parts) {
    ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(one -> one.length).sum());
    Arrays.stream(parts).forEach(all::put);
    return all.array();
  }

  private static byte[] hex(String digits) {
    return java.util.HexFormat.of().parseHex(digits);
  }

  /** RFC 8446 section 4.1.2. */
  private static byte[] hello() {
    byte[] name =
        join(hex("0000"), counted(2, counted(2, hex("00"), counted(2, latin1("b.example")))));
    byte[] alpn =
        join(
            hex("0010"),
            counted(2, counted(2, counted(1, latin1("h2")), counted(1, latin1("http/1.1")))));
    // RFC 9849 section 5: outer, HKDF-SHA256 with AES-128-GCM, a configuration, a key, a payload.
    byte[] encrypted =
        join(
            hex("fe0d"),
            counted(2, hex("000001000107"), counted(2, hex(ZEROS)), counted(2, hex(ZEROS))));
    byte[] body =
        join(hex("0303" + ZEROS + "00" + "00021301" + "0100"), counted(2, name, alpn, encrypted));
    return join(hex("01"), counted(3, body));
  }

  private static byte[] records(byte[] message, int most) {
    byte[] all = new byte[0];
    for (int at = 0; at < message.length; at += most) {
      byte[] part = Arrays.copyOfRange(message, at, Math.min(message.length, at + most));
      all = join(all, hex("160301"), counted(2, part));
    }
    return all;
  }

  /** RFC 9113 sections 3.4, 6.2 and 6.10; RFC 7541 section 6.2.1. */
  private static byte[] request() {
    byte[] authority = join(hex("41"), counted(1, latin1("b.example:8080")));
    byte[] host = join(hex("40"), counted(1, latin1("host")), counted(1, latin1("B.example:8080")));
    byte[] fields = join(hex("828784"), authority);
    return join(
        latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        hex("000000" + "0400" + "00000000"),
        frame("0101", fields),
        frame("0904", host));
  }

  /** A frame of stream 1, with its type and flags. */
  private static byte[] frame(String typeAndFlags, byte[] payload) {
    byte[] length = {0, (byte) (payload.length >>> 8), (byte) payload.length};
    return join(length, hex(typeAndFlags + "00000001"), payload);
  }
}
