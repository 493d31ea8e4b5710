package dev.peekpass.wire;

import static dev.peekpass.wire.AddressText.INCOMPLETE;
import static dev.peekpass.wire.AddressText.INVALID;

import dev.peekpass.wire.ProxyHeader.Command;
import dev.peekpass.wire.ProxyHeader.Endpoint;
import dev.peekpass.wire.ProxyHeader.Family;
import dev.peekpass.wire.ProxyHeader.Transport;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Version 1 of the PROXY protocol, a line of at most 107 bytes (section 2.1):
 *
 * <pre>
 * PROXY TCP4|TCP6 source destination source-port destination-port CRLF
 * PROXY UNKNOWN [ anything ] CRLF
 * </pre>
 *
 * <p>Keeps no place: a line so short may be read again whenever more of it comes. Every byte is
 * judged as soon as it is here, so that incomplete means that some valid line begins like this.
 */
final class ProxyTextParser {
  private static final int MAX_LINE_BYTES = 107;
  private static final byte[] TCP4 = "TCP4 ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] TCP6 = "TCP6 ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] UNKNOWN = "UNKNOWN".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] CRLF = {'\r', '\n'};

  private static final Parsed<ProxyHeader> LONG =
      new Parsed.Invalid<>("no CRLF in the first 107 bytes (PROXY protocol 2.1)");
  private static final Parsed<ProxyHeader> FAMILY =
      new Parsed.Invalid<>("neither TCP4, TCP6 nor UNKNOWN (PROXY protocol 2.1)");
  private static final Parsed<ProxyHeader> ADDRESS =
      new Parsed.Invalid<>("bad address for the family (PROXY protocol 2.1)");
  private static final Parsed<ProxyHeader> PORT =
      new Parsed.Invalid<>("bad port (PROXY protocol 2.1)");
  private static final Parsed<ProxyHeader> LINE_END =
      new Parsed.Invalid<>("no CRLF where the line must end (PROXY protocol 2.1)");

  private ProxyTextParser() {}

  /**
   * Reads a line.
   *
   * @param bytes what begins with the signature
   * @param length how many bytes there are
   */
  static Parsed<ProxyHeader> parse(ByteBuffer bytes, int length) {
    int seen = Math.min(length, MAX_LINE_BYTES);
    Parsed<ProxyHeader> result = line(bytes, seen);
    return result instanceof Parsed.Incomplete && seen == MAX_LINE_BYTES ? LONG : result;
  }

  private static Parsed<ProxyHeader> line(ByteBuffer bytes, int seen) {
    int from = ProxyHeaderParser.TEXT_SIGNATURE.length;
    int at = literal(bytes, from, seen, UNKNOWN);
    if (at >= 0) {
      return unknown(bytes, at, seen);
    }
    boolean undecided = at == INCOMPLETE;
    at = literal(bytes, from, seen, TCP4);
    if (at >= 0) {
      return addresses(bytes, at, seen, Family.INET);
    }
    undecided |= at == INCOMPLETE;
    at = literal(bytes, from, seen, TCP6);
    if (at >= 0) {
      return addresses(bytes, at, seen, Family.INET6);
    }
    return undecided || at == INCOMPLETE ? incomplete() : FAMILY;
  }

  /** After {@code UNKNOWN} anything may stand before the CRLF, and is not looked at. */
  private static Parsed<ProxyHeader> unknown(ByteBuffer bytes, int from, int seen) {
    if (from < seen && bytes.get(from) != ' ' && bytes.get(from) != '\r') {
      return FAMILY;
    }
    if (from + 1 < seen && bytes.get(from) == '\r' && bytes.get(from + 1) != '\n') {
      return LINE_END;
    }
    for (int at = from; at + 1 < seen; at++) {
      if (bytes.get(at) == '\r' && bytes.get(at + 1) == '\n') {
        return new Parsed.Found<>(
            new ProxyHeader(
                1, Command.PROXY, Family.UNSPEC, Transport.UNSPEC, null, null, List.of(), at + 2));
      }
    }
    return incomplete();
  }

  private static Parsed<ProxyHeader> addresses(
      ByteBuffer bytes, int from, int seen, Family family) {
    byte[] source = new byte[family == Family.INET ? 4 : 16];
    byte[] destination = new byte[source.length];
    int at = AddressText.read(bytes, from, seen, source);
    if (at >= 0) {
      at = AddressText.read(bytes, at, seen, destination);
    }
    if (at < 0) {
      return at == INCOMPLETE ? incomplete() : ADDRESS;
    }
    int sourcePortAt = at;
    at = port(bytes, at, seen, ' ');
    int destinationPortAt = at;
    if (at >= 0) {
      at = port(bytes, at, seen, '\r');
    }
    if (at < 0) {
      return at == INCOMPLETE ? incomplete() : PORT;
    }
    at = literal(bytes, at - 1, seen, CRLF);
    if (at < 0) {
      return at == INCOMPLETE ? incomplete() : LINE_END;
    }
    return new Parsed.Found<>(
        new ProxyHeader(
            1,
            Command.PROXY,
            family,
            Transport.STREAM,
            new Endpoint.Inet(AddressText.address(source), number(bytes, sourcePortAt)),
            new Endpoint.Inet(AddressText.address(destination), number(bytes, destinationPortAt)),
            List.of(),
            at));
  }

  /** The offset after {@code expected}, or INCOMPLETE, or INVALID. */
  private static int literal(ByteBuffer bytes, int from, int seen, byte[] expected) {
    for (int i = 0; i < expected.length; i++) {
      if (from + i >= seen) {
        return INCOMPLETE;
      }
      if (bytes.get(from + i) != expected[i]) {
        return INVALID;
      }
    }
    return from + expected.length;
  }

  /** The offset after a port, 0 to 65535 without heading zeroes, and {@code end}; or why not. */
  private static int port(ByteBuffer bytes, int from, int seen, int end) {
    int value = -1;
    for (int at = from; at < seen; at++) {
      int c = bytes.get(at);
      if (c == end && value >= 0) {
        return at + 1;
      }
      if (c < '0' || c > '9' || value == 0) {
        return INVALID;
      }
      value = Math.max(value, 0) * 10 + c - '0';
      if (value > 65_535) {
        return INVALID;
      }
    }
    return INCOMPLETE;
  }

  /** The decimal number at an offset, which {@link #port} has found good. */
  private static int number(ByteBuffer bytes, int from) {
    int value = 0;
    for (int at = from; bytes.get(at) >= '0' && bytes.get(at) <= '9'; at++) {
      value = value * 10 + bytes.get(at) - '0';
    }
    return value;
  }

  private static Parsed<ProxyHeader> incomplete() {
    return new Parsed.Incomplete<>(1);
  }
}
