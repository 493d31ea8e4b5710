package dev.peekpass.proxy;

import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What a simulated client has to say, and what the parsers make of it: they are tested elsewhere,
 * so what they say counts here.
 */
final class Flight {

  /** What a flight turns out to be once enough of it has come. */
  enum Verdict {
    /** It names a host. */
    FOUND,
    /** It is complete and names none. */
    ABSENT,
    /** It is another protocol's. */
    FOREIGN,
    /** It breaks its protocol's rules. */
    INVALID,
    /** Its head is larger than max-peek. */
    TOO_LARGE,
    /** Nothing, however long one waits. */
    OPEN
  }

  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  private static final Map<Integer, List<Flight>> BY_MAX_PEEK = new ConcurrentHashMap<>();

  final byte[] bytes;

  /** How many bytes it takes to know; one more than there are when it stays open. */
  final int decidedAt;

  final Verdict verdict;
  final @Nullable String host;
  final boolean isHttp2;
  private final String name;

  private Flight(String name, byte[] bytes, int maxPeekBytes) {
    this.name = name;
    this.bytes = bytes;
    FirstFlightParser parser = new FirstFlightParser(new ParserScratch(maxPeekBytes));
    ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(0, bytes);
    int most = Math.min(bytes.length, maxPeekBytes);
    int n = 1;
    Parsed<Peeked> parsed = parser.parse(buffer, n);
    while (parsed instanceof Parsed.Incomplete && n < most) {
      parsed = parser.parse(buffer, ++n);
    }
    boolean full = n == maxPeekBytes;
    verdict =
        switch (parsed) {
          case Parsed.Found<Peeked> found -> Verdict.FOUND;
          case Parsed.Absent<Peeked> absent -> Verdict.ABSENT;
          case Parsed.Foreign<Peeked> foreign -> Verdict.FOREIGN;
          case Parsed.Invalid<Peeked> invalid -> Verdict.INVALID;
          case Parsed.TooLarge<Peeked> large -> Verdict.TOO_LARGE;
          case Parsed.Incomplete<Peeked> incomplete -> full ? Verdict.TOO_LARGE : Verdict.OPEN;
        };
    decidedAt = verdict == Verdict.OPEN ? n + 1 : n;
    host = parsed instanceof Parsed.Found<Peeked> found ? found.value().host().toString() : null;
    isHttp2 = parser.protocol() == Protocol.HTTP2;
  }

  /** What it is to a proxy that looks at so many bytes. */
  Flight seenWith(int maxPeekBytes) {
    List<Flight> all = BY_MAX_PEEK.computeIfAbsent(maxPeekBytes, Flight::all);
    return all.stream().filter(one -> one.name.equals(name)).findFirst().orElseThrow();
  }

  /** All there are, as a proxy sees them that looks at so many bytes. */
  static List<Flight> all(int maxPeekBytes) {
    List<Flight> all = new ArrayList<>();
    for (String host : new String[] {"a.example", "b.example", "unknown.example"}) {
      all.add(new Flight("a hello for " + host, Hellos.withName(host), maxPeekBytes));
      all.add(new Flight("a request for " + host, request(host, 0), maxPeekBytes));
    }
    byte[] hello = Hellos.withName("a.example");
    all.add(new Flight("a hello and more", concat(hello, new byte[300]), maxPeekBytes));
    for (String host : new String[] {"a.example", "b.example"}) {
      byte[] withBody = concat(request(host, 0), new byte[3000]);
      all.add(new Flight("a request with a body for " + host, withBody, maxPeekBytes));
    }
    all.add(new Flight("a hello without a name", Hellos.withoutName(), maxPeekBytes));
    all.add(new Flight("a request of 2 kB", request("b.example", 2000), maxPeekBytes));
    all.add(
        new Flight("a request of 2 kB for a.example", request("a.example", 2000), maxPeekBytes));
    all.add(new Flight("a request of 6 kB", request("a.example", 6000), maxPeekBytes));
    all.add(new Flight("a request of 9 kB", request("a.example", 9000), maxPeekBytes));
    all.add(new Flight("HTTP/1.0 without a host", ascii("GET / HTTP/1.0\r\n\r\n"), maxPeekBytes));
    all.add(
        new Flight(
            "two hosts",
            ascii("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"),
            maxPeekBytes));
    all.add(new Flight("SSH", ascii("SSH-2.0-OpenSSH_9.9\r\n"), maxPeekBytes));
    all.add(new Flight("an endless line", ascii("GET /" + "a".repeat(9000)), maxPeekBytes));
    byte[] settings = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    byte[] preface = concat(ascii(PREFACE), settings);
    all.add(new Flight("HTTP/2 that waits", preface, maxPeekBytes));
    all.add(new Flight("HTTP/2", concat(preface, headers("b.example")), maxPeekBytes));
    return List.copyOf(all);
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] request(String host, int cookieBytes) {
    String cookie = cookieBytes == 0 ? "" : "Cookie: c=" + "x".repeat(cookieBytes) + "\r\n";
    return ascii("GET / HTTP/1.1\r\n" + cookie + "Host: " + host + "\r\n\r\n");
  }

  /** A HEADERS frame (RFC 9113 section 6.2) with indexed fields of RFC 7541 appendix A. */
  private static byte[] headers(String authority) {
    byte[] name = ascii(authority);
    byte[] frame = {
      0,
      0,
      (byte) (5 + name.length),
      1,
      5,
      0,
      0,
      0,
      1,
      (byte) 0x82,
      (byte) 0x86,
      (byte) 0x84,
      0x41,
      (byte) name.length
    };
    return concat(frame, name);
  }

  private static byte[] concat(byte[] a, byte[] b) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(a);
    all.writeBytes(b);
    return all.toByteArray();
  }

  @Override
  public String toString() {
    return name;
  }
}
