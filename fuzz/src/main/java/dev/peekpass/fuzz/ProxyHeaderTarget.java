package dev.peekpass.fuzz;

import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ProxyHeader;
import dev.peekpass.wire.ProxyHeaderParser;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;

/**
 * A PROXY protocol header, version 1 or 2: what {@link HeadCheck} demands of the other parsers, of
 * one whose result outlives it. Most inputs are what follows a signature, so that executions are
 * not spent on bytes that never change.
 */
public final class ProxyHeaderTarget {
  private static final int LIMIT_BYTES = 4096;
  private static final int SMALL_LIMIT_BYTES = 60;

  private static final byte[][] BEFORE = {
    {},
    "PROXY ".getBytes(StandardCharsets.US_ASCII),
    "\r\n\r\n\0\r\nQUIT\n".getBytes(StandardCharsets.US_ASCII),
    "\r\n\r\n\0\r\nQUIT\n!\021\0".getBytes(StandardCharsets.US_ASCII)
  };

  /** What a parser may have read before it is reset: a line, and facts of all kinds. */
  private static final List<byte[]> EARLIER =
      List.of(
          "PROXY TCP6 2001:db8::1 2001:db8::2 65535 443\r\n".getBytes(StandardCharsets.US_ASCII),
          HexFormat.of()
              .parseHex(
                  "0d0a0d0a000d0a515549540a" // the signature
                      + "2111" // PROXY, TCP over IPv4
                      + "0018" // so many bytes
                      + "c0000201c6336407dc0401bb"
                      + "0100026832" // ALPN
                      + "03000400000000")); // a checksum, which is wrong

  private static final ProxyHeaderParser USUAL = new ProxyHeaderParser(LIMIT_BYTES);
  private static final ProxyHeaderParser SMALL = new ProxyHeaderParser(SMALL_LIMIT_BYTES);
  private static final ProxyHeaderParser BACK = new ProxyHeaderParser(LIMIT_BYTES);
  private static final Draw DRAW = new Draw();

  private ProxyHeaderTarget() {}

  /** Takes one input: a byte that says what is put before the others, and those. */
  public static void fuzzerTestOneInput(byte[] input) {
    check(flight(input));
  }

  /** The connection's bytes that an input stands for. */
  static byte[] flight(byte[] input) {
    if (input.length == 0) {
      return input;
    }
    byte[] before = BEFORE[input[0] & 3];
    byte[] flight = Arrays.copyOf(before, before.length + input.length - 1);
    System.arraycopy(input, 1, flight, before.length, input.length - 1);
    return flight;
  }

  private static void check(byte[] input) {
    DRAW.from(input);
    boolean isSmall = DRAW.oneIn(8);
    ProxyHeaderParser parser = isSmall ? SMALL : USUAL;
    int limit = isSmall ? SMALL_LIMIT_BYTES : LIMIT_BYTES;
    ByteBuffer bytes = ByteBuffer.wrap(input);
    parser.reset();
    Parsed<ProxyHeader> whole = parser.parse(bytes, input.length);
    int end = possible(whole, input.length, limit);

    int at = DRAW.below((end > 0 && DRAW.oneIn(2) ? end : input.length) + 1);
    parser.reset();
    Parsed<ProxyHeader> part = parser.parse(bytes.limit(at), at);
    bytes.limit(input.length);
    if (part instanceof Parsed.Incomplete<ProxyHeader>(int needed)) {
      int enough = end > 0 ? end : input.length;
      Promise.keep(
          whole instanceof Parsed.Incomplete || at + needed <= enough,
          "a prefix needs more than settles the whole");
      same(parser.parse(bytes, input.length), whole, "a parser that went on says otherwise");
    } else {
      Promise.keep(at >= end, "a proper prefix of a header is settled");
      same(part, whole, "a prefix is settled otherwise than the whole");
    }
    if (DRAW.oneIn(64)) {
      inSteps(parser, bytes, input.length, whole);
    }
    if (DRAW.oneIn(8)) {
      asNew(parser, new ProxyHeaderParser(limit), bytes, input);
    }
  }

  /** A parser that has had another connection, and was reset, beside a new one. */
  static void asNew(
      ProxyHeaderParser used, ProxyHeaderParser anew, ByteBuffer bytes, byte[] input) {
    int chosen = DRAW.below(EARLIER.size() + 1);
    byte[] other = chosen < EARLIER.size() ? EARLIER.get(chosen) : input;
    int length = DRAW.oneIn(2) ? other.length : DRAW.below(other.length + 1);
    used.reset();
    var _ = used.parse(ByteBuffer.wrap(other).limit(length), length);
    used.reset();
    Parsed<ProxyHeader> first = used.parse(bytes, input.length);
    Parsed<ProxyHeader> second = anew.parse(bytes, input.length);
    same(first, second, "a parser that was reset says otherwise than a new one");
    if (first instanceof Parsed.Incomplete<ProxyHeader>(int needed)
        && second instanceof Parsed.Incomplete<ProxyHeader>(int neededAnew)) {
      Promise.keep(
          needed == neededAnew, "a parser that was reset needs other bytes than a new one");
    }
  }

  private static void inSteps(
      ProxyHeaderParser parser, ByteBuffer bytes, int length, Parsed<ProxyHeader> whole) {
    parser.reset();
    Parsed<ProxyHeader> last = parser.parse(bytes.limit(0), 0);
    for (int seen = 1; last instanceof Parsed.Incomplete && seen <= length; seen++) {
      last = parser.parse(bytes.limit(seen), seen);
    }
    bytes.limit(length);
    same(last, whole, "byte by byte it says otherwise");
  }

  /** Throws when a result cannot be; returns where the header ends, or 0. */
  private static int possible(Parsed<ProxyHeader> parsed, int seen, int limit) {
    switch (parsed) {
      case Parsed.Found<ProxyHeader>(ProxyHeader header) -> {
        int end = header.lengthBytes();
        Promise.keep(end >= 15 && end <= Math.min(seen, limit), "a header of an impossible length");
        Promise.keep(
            (header.source() == null) == (header.destination() == null), "one end without another");
        Promise.keep(header.source() != null || header.tlvs().isEmpty(), "facts about nobody");
        if (header.family() == ProxyHeader.Family.INET6
            && header.source() instanceof ProxyHeader.Endpoint.Inet address) {
          readBack(address);
        }
        return end;
      }
      case Parsed.Incomplete<ProxyHeader>(int needed) ->
          Promise.keep(needed >= 1 && needed <= limit - seen, "more is needed than may come");
      case Parsed.Absent<ProxyHeader> _ -> throw Promise.broken("never absent");
      default -> {
        // Nothing to look at.
      }
    }
    return 0;
  }

  /** An address as text is the same address to a reader of version 1. */
  private static void readBack(ProxyHeader.Endpoint.Inet address) {
    String text = address.text();
    byte[] line =
        "PROXY TCP6 %s %s %d 1\r\n"
            .formatted(text, text, address.port())
            .getBytes(StandardCharsets.US_ASCII);
    BACK.reset();
    boolean same =
        BACK.parse(ByteBuffer.wrap(line), line.length)
                instanceof Parsed.Found<ProxyHeader>(ProxyHeader header)
            && address.equals(header.source());
    if (!same) {
      throw Promise.broken("read otherwise than it is written: " + text);
    }
  }

  private static void same(Parsed<ProxyHeader> one, Parsed<ProxyHeader> other, String promise) {
    if (one.getClass() != other.getClass()) {
      throw Promise.broken(promise + ": " + one + ", whole: " + other);
    }
    boolean same =
        switch (one) {
          case Parsed.Incomplete<ProxyHeader> _, Parsed.Foreign<ProxyHeader> _ -> true;
          case Parsed.Found<ProxyHeader>(ProxyHeader header) ->
              other instanceof Parsed.Found<ProxyHeader>(ProxyHeader second)
                  && sameHeader(header, second);
          default -> one.equals(other);
        };
    if (!same) {
      throw Promise.broken(promise + ": " + one + ", whole: " + other);
    }
  }

  private static boolean sameHeader(ProxyHeader one, ProxyHeader other) {
    boolean same =
        one.version() == other.version()
            && one.command() == other.command()
            && one.family() == other.family()
            && one.transport() == other.transport()
            && Objects.equals(one.source(), other.source())
            && Objects.equals(one.destination(), other.destination())
            && one.lengthBytes() == other.lengthBytes()
            && one.tlvs().size() == other.tlvs().size();
    for (int i = 0; same && i < one.tlvs().size(); i++) {
      ProxyHeader.Tlv first = one.tlvs().get(i);
      ProxyHeader.Tlv second = other.tlvs().get(i);
      same = first.type() == second.type() && Arrays.equals(first.value(), second.value());
    }
    return same;
  }
}
