package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;

/**
 * However bytes are cut into segments, the HTTP parsers say the same of them. Each run is made of
 * captured flights, of flights written at random, and of mutations of both, from fixed seeds. All
 * buffers end with their bytes, so that reading behind them throws.
 */
class HttpSegmentationTest {
  private static final int ROUNDS = 20_000;
  private static final int LIMIT_BYTES = 2048;
  private static final int SMALL_LIMIT_BYTES = 80;
  private static final Set<String> OUTCOMES =
      Set.of("found", "absent", "incomplete", "invalid", "foreign", "too");

  private static final List<String> PIECES =
      List.of(
          "\r\n",
          "\n",
          "\r",
          "\r\n\r\n",
          " ",
          "\t",
          ":",
          "Host: a.example",
          "Host:",
          "host : b",
          "GET ",
          "CONNECT ",
          "OPTIONS * ",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
          "/",
          "*",
          "http://u@a.example:80/",
          "[::1]",
          "a:443",
          " HTTP/1.1",
          " HTTP/1.0",
          " HTTP/2.0",
          "\u0000",
          "\u00ff",
          "X: y",
          "%41",
          "@",
          "#",
          "?",
          "65536");

  @Test
  void http1SaysTheSameOfAnySegments() {
    Random random = new Random(1);
    List<byte[]> seeds = seeds(Protocol.HTTP1);
    HeadParser parser = new Http1Parser(new ParserScratch(LIMIT_BYTES));
    HeadParser small = new Http1Parser(new ParserScratch(SMALL_LIMIT_BYTES));
    Set<String> outcomes = new TreeSet<>();
    for (int round = 0; round < ROUNDS; round++) {
      byte[] flight =
          random.nextInt(3) == 0 ? head(random) : seeds.get(random.nextInt(seeds.size()));
      HeadParser used = round % 4 == 0 ? small : parser;
      outcomes.add(assertSame(used, mutated(flight, random), random, round));
    }
    assertThat(outcomes).as("all kinds of outcomes were met").isEqualTo(OUTCOMES);
  }

  @Test
  void http2SaysTheSameOfAnySegments() {
    Random random = new Random(2);
    List<byte[]> seeds = seeds(Protocol.HTTP2);
    HeadParser parser = new Http2Parser(new ParserScratch(LIMIT_BYTES));
    HeadParser small = new Http2Parser(new ParserScratch(SMALL_LIMIT_BYTES));
    Set<String> outcomes = new TreeSet<>();
    for (int round = 0; round < ROUNDS; round++) {
      byte[] flight =
          random.nextInt(3) == 0 ? frames(random) : seeds.get(random.nextInt(seeds.size()));
      HeadParser used = round % 4 == 0 ? small : parser;
      outcomes.add(assertSame(used, mutated(flight, random), random, round));
    }
    assertThat(outcomes).as("all kinds of outcomes were met").isEqualTo(OUTCOMES);
  }

  @Test
  void parsersThatShareScratchDoNotDisturbEachOther() {
    ParserScratch shared = new ParserScratch(LIMIT_BYTES);
    byte[] get = Frames.block(":method", "GET", ":scheme", "http", ":path", "/");
    byte[] first = split(get, Frames.block(":authority", "a.example"));
    byte[] second = split(get, Frames.block(":authority", "b.example"));
    HeadParser one = new Http2Parser(shared);
    HeadParser other = new Http2Parser(shared);
    for (int length = 0; length < first.length; length++) {
      assertThat(Outcome.of(one.parse(Outcome.exactly(first, length), length)))
          .isEqualTo("incomplete");
      assertThat(Outcome.of(other.parse(Outcome.exactly(second, length), length)))
          .isEqualTo("incomplete");
    }

    assertThat(Outcome.of(one.parse(Outcome.exactly(first, first.length), first.length)))
        .startsWith("found h2 a.example ");
    assertThat(Outcome.of(other.parse(Outcome.exactly(second, second.length), second.length)))
        .startsWith("found h2 b.example ");
  }

  private static byte[] split(byte[] start, byte[] end) {
    return Frames.start().frame(1, 0, 1, start).frame(9, 4, 1, end).done();
  }

  private static String assertSame(HeadParser parser, byte[] flight, Random random, int round) {
    String whole = Outcome.whole(parser, flight);
    String cut = inSegments(parser, flight, random);
    if (!cut.equals(whole)) {
      throw new AssertionError(
          "round %d: %s in one piece, %s in segments: %s"
              .formatted(round, whole, cut, HexFormat.of().formatHex(flight)));
    }
    return whole.replaceFirst(" .*", "");
  }

  /** Segments of random sizes, each in a buffer of its own; or of one byte. */
  private static String inSegments(HeadParser parser, byte[] flight, Random random) {
    int most = random.nextInt(4) == 0 ? 1 : 1 + random.nextInt(flight.length + 1);
    parser.reset();
    int length = 0;
    while (true) {
      Parsed<Peeked> parsed = parser.parse(Outcome.exactly(flight, length), length);
      if (length == flight.length || !(parsed instanceof Parsed.Incomplete<Peeked>)) {
        return Outcome.of(parsed);
      }
      length = Math.min(flight.length, length + 1 + random.nextInt(most));
    }
  }

  private static List<byte[]> seeds(Protocol protocol) {
    return CapturedFlights.all().stream()
        .filter(flight -> flight.protocol() == protocol && flight.headEnd() <= LIMIT_BYTES)
        .map(CapturedFlights.Flight::bytes)
        .toList();
  }

  private static byte[] head(RandomGenerator random) {
    StringBuilder head = new StringBuilder(random.nextInt(8) == 0 ? "\r\n" : "");
    head.append(pick(random, "GET", "CONNECT", "OPTIONS", "PRI", "x"));
    head.append(' ');
    head.append(
        pick(random, "/", "*", "http://a.example:80/", "a.example:443", "http://[::1]", "x"));
    head.append(pick(random, " HTTP/1.1", " HTTP/1.0", " HTTP/1.1", " HTTP/2.0"));
    for (int fields = random.nextInt(5); fields >= 0; fields--) {
      head.append(pick(random, "\r\n", "\r\n", "\r\n", "\n"));
      head.append(pick(random, "Host: a.example", "Accept: */*", "Host: b:80", "X: \u0001", "X:"));
    }
    return latin1(head.append("\r\n\r\nbody").toString());
  }

  private static String pick(RandomGenerator random, String... of) {
    return of[random.nextInt(of.length)];
  }

  private static byte[] frames(RandomGenerator random) {
    Frames frames = random.nextInt(8) == 0 ? Frames.preface() : Frames.start();
    for (int count = random.nextInt(4); count > 0; count--) {
      switch (random.nextInt(6)) {
        case 0 -> frames.frame(4, 0, 0, "000400010000");
        case 1 -> frames.frame(8, 0, 0, "00010000");
        case 2 -> frames.frame(2, 0, 3, "00000000ff");
        case 3 -> frames.frame(6, 0, 0, "0000000000000000");
        case 4 -> frames.frame(0x2a, 9, 5, "00".repeat(random.nextInt(40)));
        default -> frames.frame(random.nextInt(17), random.nextInt(64), random.nextInt(3), "00");
      }
    }
    byte[] block =
        switch (random.nextInt(3)) {
          case 0 -> Frames.hex("828684418cf1e3c2e5f23a6ba0ab90f4ff5886a8eb10649cbf");
          case 1 -> Frames.hex("20 3fe11f 828684 400a687474702d686f73740161 be be 66 89be");
          default ->
              Frames.block(":method", "GET", ":scheme", "http", ":path", "/", "host", "a:8080");
        };
    int cut = random.nextInt(block.length + 1);
    return frames
        .frame(1, 1, 1, Arrays.copyOf(block, cut))
        .frame(9, 0, 1, "")
        .frame(9, 4, 1, Arrays.copyOfRange(block, cut, block.length))
        .frame(0, 1, 1, "6869")
        .done();
  }

  /** Some of: bits flipped, a piece put in, a part taken out, a part doubled, the end cut off. */
  private static byte[] mutated(byte[] flight, RandomGenerator random) {
    byte[] bytes = flight.clone();
    for (int count = random.nextInt(4); count > 0 && bytes.length > 0; count--) {
      int from = random.nextInt(bytes.length);
      int to = Math.min(bytes.length, from + random.nextInt(20));
      switch (random.nextInt(6)) {
        case 0 -> bytes[from] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[from] = (byte) random.nextInt(256);
        case 2 ->
            bytes = joined(bytes, from, latin1(PIECES.get(random.nextInt(PIECES.size()))), from);
        case 3 -> bytes = joined(bytes, from, new byte[0], to);
        case 4 -> bytes = joined(bytes, to, Arrays.copyOfRange(bytes, from, to), to);
        default -> bytes = Arrays.copyOf(bytes, from);
      }
    }
    return bytes;
  }

  private static byte[] joined(byte[] bytes, int headTo, byte[] middle, int tailFrom) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, headTo);
    out.writeBytes(middle);
    out.write(bytes, tailFrom, bytes.length - tailFrom);
    return out.toByteArray();
  }
}
