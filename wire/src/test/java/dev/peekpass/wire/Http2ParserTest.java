package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Http2ParserTest {
  private static final int LIMIT_BYTES = 65536;
  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int PRIORITY = 2;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int GOAWAY = 7;
  private static final int WINDOW_UPDATE = 8;
  private static final int CONTINUATION = 9;
  private static final int PRIORITY_UPDATE = 16;
  private static final int ACK = 1;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int PADDED = 8;
  private static final int WITH_PRIORITY = 32;
  private static final String[] GET = {
    ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "shop.example.com:8080"
  };

  private final ParserScratch scratch = new ParserScratch(LIMIT_BYTES);
  private final Http2Parser parser = new Http2Parser(scratch);

  @Test
  void findsAuthorityPortAndEndOfHeaders() {
    Frames flight = Frames.start().request(GET);
    int end = flight.size();

    assertThat(parse(flight.frame(DATA, 1, 1, "6869"))).isEqualTo(found(end));
  }

  @Test
  void decodesHuffmanAndIndices() {
    // RFC 7541 appendix C.4.1.
    assertThat(parse(Frames.start().frame(HEADERS, 5, 1, "828684418cf1e3c2e5f23a6ba0ab90f4ff")))
        .isEqualTo("found h2 www.example.com -1 59");
  }

  @Test
  void takesHostWhenThereIsNoAuthority() {
    assertThat(
            parse(
                Frames.start()
                    .request(
                        ":method", "GET", ":scheme", "http", ":path", "/", "host", "a.example")))
        .startsWith("found h2 a.example -1 ");
  }

  @Test
  void tellsWhenThereIsNeither() {
    assertThat(parse(Frames.start().frame(HEADERS, 5, 1, "828684"))).isEqualTo("absent h2  -1 45");
  }

  @Test
  void aClientThatWaitsForSettingsIsIncomplete() {
    assertThat(parse(Frames.start())).isEqualTo("incomplete");
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 0, "00010000")))
        .isEqualTo("incomplete");
  }

  @Test
  void framesBeforeTheRequestAreSkipped() {
    Frames flight =
        Frames.preface()
            .frame(SETTINGS, 0, 0, "0003 00000064 0004 02000000 0002 00000000 ffff ffffffff")
            .frame(WINDOW_UPDATE, 0, 0, "01ff0001")
            .frame(PRIORITY, 0, 3, "00000000c8")
            .frame(PRIORITY, 0, 5, "0000000064")
            .frame(PING, 0, 0, "0102030405060708")
            .frame(SETTINGS, 0, 0, "")
            .frame(SETTINGS, ACK, 0, "")
            .frame(PRIORITY_UPDATE, 0, 0, "00000001753d31")
            .frame(0xfe, 0xff, 7, "00".repeat(16384))
            .frame(GOAWAY, 0, 0, "0000000000000000")
            .request(GET);

    assertThat(parse(flight)).isEqualTo(found(flight.size()));
  }

  @Test
  void paddingAndPriorityAreSkipped() {
    byte[] block = Frames.block(GET);
    byte[] payload = new byte[1 + 5 + block.length + 200];
    payload[0] = (byte) 200;
    System.arraycopy(block, 0, payload, 6, block.length);
    Frames flight =
        Frames.start().frame(HEADERS, END_HEADERS | PADDED | WITH_PRIORITY, 13, payload);

    assertThat(parse(flight)).isEqualTo(found(flight.size()));
  }

  @Test
  void continuationsAreJoinedWhereverTheBlockIsCut() {
    byte[] block = Frames.block(GET);
    for (int cut = 0; cut <= block.length; cut++) {
      byte[] padded = new byte[1 + cut + 3];
      padded[0] = 3;
      System.arraycopy(block, 0, padded, 1, cut);
      Frames flight =
          Frames.start()
              .frame(HEADERS, PADDED, 1, padded)
              .frame(CONTINUATION, 0, 1, "")
              .frame(CONTINUATION, END_HEADERS, 1, Arrays.copyOfRange(block, cut, block.length));

      assertThat(Outcome.whole(parser, flight.done())).isEqualTo(found(flight.size()));
    }
  }

  @Test
  void onlyTheLastContinuationMakesItComplete() {
    byte[] block = Frames.block(GET);

    assertThat(
            parse(
                Frames.start().frame(HEADERS, END_STREAM, 1, block).frame(CONTINUATION, 0, 1, "")))
        .isEqualTo("incomplete");
  }

  @Test
  void theReservedBitOfAStreamIsIgnored() {
    Frames flight = Frames.start().frame(HEADERS, 5, 0x80000001, Frames.block(GET));

    assertThat(parse(flight)).isEqualTo(found(flight.size()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/1.1\r\n",
        "PRI * HTTP/1.1",
        "PRI * HTTP/2.0\r\n\r\nSN",
        "\u0016",
        "pri",
        " "
      })
  void anotherPrefaceIsForeign(String start) {
    assertThat(parse(latin1(start))).isEqualTo("foreign");
  }

  @Test
  void everyProperPrefixIsIncomplete() {
    byte[] flight =
        Frames.start()
            .frame(WINDOW_UPDATE, 0, 0, "01ff0001")
            .frame(HEADERS, 0, 1, "8286")
            .frame(CONTINUATION, END_HEADERS, 1, "84418cf1e3c2e5f23a6ba0ab90f4ff")
            .done();
    for (int length = 0; length < flight.length; length++) {
      assertThat(Outcome.whole(parser, Arrays.copyOf(flight, length)))
          .as("%d bytes", length)
          .isEqualTo("incomplete");
    }
    assertThat(Outcome.whole(parser, flight)).startsWith("found h2 www.example.com -1 ");
  }

  @Test
  void saysHowManyBytesItWaitsFor() {
    byte[] flight = Frames.start().request(GET).done();
    int headers = 33;

    assertThat(needed(flight, 0)).isEqualTo(1);
    assertThat(needed(flight, 24)).isEqualTo(9);
    assertThat(needed(flight, headers + 4)).isEqualTo(5);
    assertThat(needed(flight, headers + 9)).isEqualTo(flight.length - headers - 9);
  }

  @ParameterizedTest
  @CsvSource({"1, 5, 1", "8, 0, 0", "4, 1, 0", "254, 0, 0", "9, 4, 1", "0, 0, 1"})
  void theFirstFrameMustBeSettingsAndNoAck(int type, int flags, int stream) {
    assertThat(parse(Frames.preface().frame(type, flags, stream, "")))
        .isEqualTo(Outcome.of(Http2Parser.FIRST_FRAME));
  }

  @ParameterizedTest
  @CsvSource({"4, 0, 1, ''", "4, 0, 0, 0001", "4, 0, 0, 00010000000000", "4, 1, 0, 000100000000"})
  void settingsFramesAreChecked(int type, int flags, int stream, String payload) {
    assertThat(parse(Frames.start().frame(type, flags, stream, payload)))
        .isEqualTo(Outcome.of(Http2Parser.SETTINGS_FRAME));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0002 00000002",
        "0004 80000000",
        "0005 00003fff",
        "0005 01000000",
        "0001 00000000 0002 ffffffff"
      })
  void settingsOutOfRangeAreInvalid(String payload) {
    assertThat(parse(Frames.preface().frame(SETTINGS, 0, 0, payload)))
        .isEqualTo(Outcome.of(Http2Parser.SETTINGS_VALUE));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0002 00000001",
        "0004 7fffffff",
        "0005 00004000",
        "0005 00ffffff",
        "0001 ffffffff",
        "1a2a ffffffff"
      })
  void settingsAtTheEndsOfTheirRangeAreValid(String payload) {
    assertThat(parse(Frames.preface().frame(SETTINGS, 0, 0, payload))).isEqualTo("incomplete");
  }

  @Test
  void framesOverTheInitialMaximumAreInvalid() {
    assertThat(parse(Frames.preface().header(16386, SETTINGS, 0, 0)))
        .isEqualTo(Outcome.of(Http2Parser.FRAME_SIZE));
    assertThat(parse(Frames.start().header(16385, HEADERS, 0, 1)))
        .isEqualTo(Outcome.of(Http2Parser.FRAME_SIZE));
    assertThat(parse(Frames.start().header(0xffffff, 0xfe, 0, 0)))
        .isEqualTo(Outcome.of(Http2Parser.FRAME_SIZE));
  }

  @Test
  void framesForAnIdleStreamAreInvalid() {
    assertThat(parse(Frames.start().frame(DATA, 0, 1, "00")))
        .isEqualTo(Outcome.of(Http2Parser.DATA_IDLE));
    assertThat(parse(Frames.start().frame(3, 0, 1, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.RST_STREAM_IDLE));
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 1, "00000001")))
        .isEqualTo(Outcome.of(Http2Parser.WINDOW_UPDATE_FRAME));
    assertThat(parse(Frames.start().frame(CONTINUATION, END_HEADERS, 1, "82")))
        .isEqualTo(Outcome.of(Http2Parser.CONTINUATION_ALONE));
    assertThat(parse(Frames.start().frame(5, END_HEADERS, 1, "0000000282")))
        .isEqualTo(Outcome.of(Http2Parser.PUSH));
  }

  @Test
  void framesOfAWrongSizeOrStreamAreInvalid() {
    assertThat(parse(Frames.start().frame(PRIORITY, 0, 0, "0000000000")))
        .isEqualTo(Outcome.of(Http2Parser.PRIORITY_FRAME));
    assertThat(parse(Frames.start().frame(PRIORITY, 0, 3, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.PRIORITY_FRAME));
    assertThat(parse(Frames.start().frame(PING, 0, 0, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.PING_FRAME));
    assertThat(parse(Frames.start().frame(PING, 0, 1, "0000000000000000")))
        .isEqualTo(Outcome.of(Http2Parser.PING_FRAME));
    assertThat(parse(Frames.start().frame(GOAWAY, 0, 1, "0000000000000000")))
        .isEqualTo(Outcome.of(Http2Parser.GOAWAY_FRAME));
    assertThat(parse(Frames.start().frame(GOAWAY, 0, 0, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.GOAWAY_FRAME));
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 0, "000001")))
        .isEqualTo(Outcome.of(Http2Parser.WINDOW_UPDATE_FRAME));
    assertThat(parse(Frames.start().frame(PRIORITY_UPDATE, 0, 1, "00000001")))
        .isEqualTo(Outcome.of(Http2Parser.PRIORITY_UPDATE_FRAME));
    assertThat(parse(Frames.start().frame(PRIORITY_UPDATE, 0, 0, "000001")))
        .isEqualTo(Outcome.of(Http2Parser.PRIORITY_UPDATE_FRAME));
  }

  @Test
  void theWindowMustGrowAndNotOverflow() {
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 0, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.WINDOW));
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 0, "7fff0000")))
        .isEqualTo("incomplete");
    assertThat(parse(Frames.start().frame(WINDOW_UPDATE, 0, 0, "7fff0001")))
        .isEqualTo(Outcome.of(Http2Parser.WINDOW));
    assertThat(
            parse(
                Frames.start()
                    .frame(WINDOW_UPDATE, 0, 0, "7fff0000")
                    .frame(WINDOW_UPDATE, 0, 0, "00000001")))
        .isEqualTo(Outcome.of(Http2Parser.WINDOW));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, 0x7ffffffe, 0x80000000})
  void headersNeedAnOddStream(int stream) {
    assertThat(parse(Frames.start().frame(HEADERS, 5, stream, "828684")))
        .isEqualTo(Outcome.of(Http2Parser.HEADERS_STREAM));
  }

  @Test
  void headersMustHoldWhatTheirFlagsAnnounce() {
    assertThat(parse(Frames.start().frame(HEADERS, END_HEADERS | PADDED, 1, "")))
        .isEqualTo(Outcome.of(Http2Parser.HEADERS_SIZE));
    assertThat(parse(Frames.start().frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, "00000000")))
        .isEqualTo(Outcome.of(Http2Parser.HEADERS_SIZE));
    assertThat(parse(Frames.start().frame(HEADERS, END_HEADERS | PADDED, 1, "0482868400")))
        .as("padding that takes all of the block leaves an empty list")
        .isEqualTo(Outcome.of(Http2Request.PSEUDO_MISSING));
  }

  @Test
  void paddingMayNotBeLongerThanTheFrame() {
    assertThat(parse(Frames.start().frame(HEADERS, END_HEADERS | PADDED, 1, "0582868400")))
        .isEqualTo(Outcome.of(Http2Parser.HEADERS_PADDING));
    assertThat(parse(Frames.start().frame(HEADERS, PADDED | WITH_PRIORITY, 1, "01 0000000000")))
        .isEqualTo(Outcome.of(Http2Parser.HEADERS_PADDING));
  }

  @Test
  void nothingMayStandInsideAHeaderBlock() {
    assertThat(parse(Frames.start().frame(HEADERS, 0, 1, "82").frame(CONTINUATION, 4, 3, "8684")))
        .isEqualTo(Outcome.of(Http2Parser.BLOCK_BROKEN));
    assertThat(
            parse(Frames.start().frame(HEADERS, 0, 1, "82").frame(WINDOW_UPDATE, 0, 0, "00000001")))
        .isEqualTo(Outcome.of(Http2Parser.BLOCK_BROKEN));
    assertThat(parse(Frames.start().frame(HEADERS, 0, 1, "82").frame(0xfe, 0, 1, "")))
        .isEqualTo(Outcome.of(Http2Parser.BLOCK_BROKEN));
    assertThat(parse(Frames.start().frame(HEADERS, 0, 1, "82").frame(HEADERS, 4, 1, "8684")))
        .isEqualTo(Outcome.of(Http2Parser.BLOCK_BROKEN));
  }

  @Test
  void aBlockThatDoesNotDecodeIsInvalid() {
    assertThat(parse(Frames.start().frame(HEADERS, 5, 1, "828684be")))
        .isEqualTo(Outcome.of(Http2Parser.COMPRESSION));
  }

  @Test
  void aMalformedRequestIsInvalid() {
    assertThat(parse(Frames.start().frame(HEADERS, 5, 1, "82868482")))
        .isEqualTo(Outcome.of(Http2Request.PSEUDO_TWICE));
    assertThat(parse(Frames.start().request("X", "y")))
        .isEqualTo(Outcome.of(Http2Request.FIELD_NAME));
  }

  @Test
  void aBlockThatIsBothDoesNotDecodeFirstOfAll() {
    assertThat(parse(Frames.start().frame(HEADERS, 5, 1, "82868482be")))
        .isEqualTo(Outcome.of(Http2Parser.COMPRESSION));
  }

  @Test
  void theTableIsEmptyForEachConnection() {
    Frames adds = Frames.start().frame(HEADERS, 5, 1, "8286844101 61");
    Frames refers = Frames.start().frame(HEADERS, 5, 1, "828684be");

    assertThat(parse(adds)).startsWith("found h2 a -1 ");
    assertThat(parse(refers)).isEqualTo(Outcome.of(Http2Parser.COMPRESSION));
  }

  @Test
  void aSmallBlockThatDecodesToALargeListIsTooLarge() {
    byte[] bomb = new byte[16000];
    byte[] start = Frames.hex("828684" + "40 0161 7f8010" + "78".repeat(2175));
    Arrays.fill(bomb, (byte) 0xbe);
    System.arraycopy(start, 0, bomb, 0, start.length);

    assertThat(Outcome.whole(parser, Frames.start().frame(HEADERS, 5, 1, bomb).done()))
        .isEqualTo("too large " + Http2Parser.MIN_LIST_LIMIT_BYTES);
  }

  @Test
  void continuationFloodsAreCutAtTheLimit() {
    Frames flight = Frames.start().frame(HEADERS, 0, 1, "82");
    while (flight.size() + 9 <= LIMIT_BYTES) {
      flight.frame(CONTINUATION, 0, 1, "");
    }

    assertThat(Outcome.whole(parser, flight.done())).isEqualTo("too large " + LIMIT_BYTES);
  }

  @Test
  void aFrameThatAnnouncesToGoOverTheLimitIsTooLargeAtOnce() {
    Http2Parser small = new Http2Parser(new ParserScratch(100));
    Frames fits = Frames.start().frame(0xfe, 0, 0, "00".repeat(100 - 33 - 9 - 9 - 3));

    assertThat(Outcome.whole(small, Frames.start().header(59, HEADERS, 5, 1).done()))
        .isEqualTo("too large 100");
    assertThat(Outcome.whole(small, Frames.start().header(58, HEADERS, 5, 1).done()))
        .isEqualTo("incomplete");
    assertThat(Outcome.whole(small, fits.frame(HEADERS, 5, 1, "828684").done()))
        .isEqualTo("absent h2  -1 100");
  }

  @Test
  void aLimitInsideThePrefaceHolds() {
    Http2Parser small = new Http2Parser(new ParserScratch(10));
    byte[] flight = Frames.start().done();

    assertThat(Outcome.whole(small, flight)).isEqualTo("too large 10");
    assertThat(Outcome.byteByByte(small, flight)).isEqualTo("too large 10");
  }

  @Test
  void readsNothingBehindTheLength() {
    byte[] flight = Frames.start().request(GET).done();
    parser.reset();

    assertThat(Outcome.of(parser.parse(ByteBuffer.wrap(flight), flight.length - 1)))
        .isEqualTo("incomplete");
  }

  @Test
  void goesOnInAnotherBufferWithTheSameBytes() {
    byte[] flight =
        Frames.start()
            .frame(HEADERS, 0, 1, "8286")
            .frame(CONTINUATION, END_HEADERS, 1, "84 410161")
            .done();
    parser.reset();

    assertThat(Outcome.of(parser.parse(Outcome.exactly(flight, 46), 46))).isEqualTo("incomplete");
    assertThat(Outcome.of(parser.parse(ByteBuffer.wrap(flight), flight.length)))
        .isEqualTo("found h2 a -1 " + flight.length);
  }

  private int needed(byte[] flight, int length) {
    parser.reset();
    Parsed<Peeked> parsed = parser.parse(ByteBuffer.wrap(flight), length);
    return ((Parsed.Incomplete<Peeked>) parsed).needed();
  }

  private static String found(int end) {
    return "found h2 shop.example.com 8080 " + end;
  }

  private String parse(Frames frames) {
    return parse(frames.done());
  }

  private String parse(byte[] flight) {
    String whole = Outcome.whole(parser, flight);
    assertThat(Outcome.byteByByte(parser, flight)).as("byte by byte").isEqualTo(whole);
    return whole;
  }
}
