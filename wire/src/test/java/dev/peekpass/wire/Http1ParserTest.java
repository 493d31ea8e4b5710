package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Http1ParserTest {
  private static final int LIMIT_BYTES = 512;

  private final ParserScratch scratch = new ParserScratch(LIMIT_BYTES);
  private final Http1Parser parser = new Http1Parser(scratch);

  @Test
  void findsHostPortAndEndOfHead() {
    assertThat(parse("GET / HTTP/1.1\r\nHost: shop.example.com:8080\r\n\r\nbody"))
        .isEqualTo("found http shop.example.com 8080 47");
  }

  @Test
  void showsTheHostAsSentAndInCanonicalForm() {
    ByteBuffer bytes = ByteBuffer.wrap(latin1("GET / HTTP/1.1\r\nHOST:Shop.Example.COM.\r\n\r\n"));

    assertThat(parser.parse(bytes, bytes.capacity())).isInstanceOf(Parsed.Found.class);

    assertThat(scratch.peeked().host().raw()).isEqualTo("Shop.Example.COM.");
    assertThat(scratch.peeked().host()).hasToString("shop.example.com");
  }

  @Test
  void keepsTheBracketsOfAnIpLiteral() {
    assertThat(parse("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"))
        .startsWith("found http [2001:db8::1] 80 ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"Host:a", "host: a", "HOST:\t a \t", "hOsT:   a"})
  void fieldNameHasNoCaseAndValueNoOuterBlanks(String field) {
    assertThat(parse("GET / HTTP/1.1\r\n" + field + "\r\n\r\n")).startsWith("found http a -1 ");
  }

  @Test
  void hostMayComeLast() {
    assertThat(
            parse("GET / HTTP/1.1\r\nAccept: */*\r\nX-Host: b\r\nHostname: c\r\nHost: a\r\n\r\n"))
        .startsWith("found http a -1 ");
  }

  @Test
  void absoluteFormBeatsHost() {
    assertThat(parse("GET http://a:1/ HTTP/1.1\r\nHost: b:2\r\n\r\n"))
        .startsWith("found http a 1 ");
  }

  @Test
  void absoluteFormWithoutPortDoesNotTakeHostsPort() {
    assertThat(parse("GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n"))
        .startsWith("found http a -1 ");
  }

  @Test
  void connectTargetBeatsHost() {
    assertThat(parse("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n")).startsWith("found http a 443 ");
  }

  @Test
  void asteriskFormTakesHost() {
    assertThat(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")).startsWith("found http a -1 ");
  }

  @Test
  void http10NeedsNoHost() {
    assertThat(parse("GET / HTTP/1.0\r\n\r\n")).isEqualTo("absent http  -1 18");
    assertThat(parse("GET / HTTP/1.0\r\nHost: a\r\n\r\n")).startsWith("found http a -1 ");
    assertThat(parse("GET http://a/ HTTP/1.0\r\n\r\n")).startsWith("found http a -1 ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET / ", "GET http://a/ ", "CONNECT a:443 "})
  void http11NeedsHostWhateverTheTarget(String start) {
    assertThat(parse(start + "HTTP/1.1\r\nAccept: */*\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_MISSING));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.0", "1.1"})
  void aSecondHostIsInvalidEvenIfItIsTheSame(String version) {
    assertThat(parse("GET / HTTP/" + version + "\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_TWICE));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Host:", "Host: ", "HOST: \t"})
  void anEmptyHostNamesNobody(String field) {
    assertThat(parse("GET / HTTP/1.1\r\n" + field + "\r\n\r\n")).startsWith("absent http  -1 ");
    assertThat(parse("GET / HTTP/1.0\r\n" + field + "\r\n\r\n")).startsWith("absent http  -1 ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"Host:", "Host: ", "HOST: \t"})
  void besideAnEmptyHostTheTargetCounts(String field) {
    assertThat(parse("GET http://a:1/ HTTP/1.1\r\n" + field + "\r\n\r\n"))
        .startsWith("found http a 1 ");
    assertThat(parse("CONNECT a:443 HTTP/1.1\r\n" + field + "\r\n\r\n"))
        .startsWith("found http a 443 ");
    assertThat(scratch.peeked().hostField().isEmpty()).isTrue();
  }

  @Test
  void anEmptyHostIsOneOfTwo() {
    assertThat(parse("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_TWICE));
    assertThat(parse("GET / HTTP/1.1\r\nHost: a\r\nHost:\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_TWICE));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Host: :80", "Host: :"})
  void aPortWithoutAHostIsInvalid(String field) {
    assertThat(parse("GET / HTTP/1.1\r\n" + field + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_EMPTY));
  }

  @ParameterizedTest
  @CsvSource({
    "GET http://a/, b, b",
    "GET http://a:80/, B:80, b",
    "CONNECT a:443, b, b",
    "GET http://a/, [::1]:80, [::1]",
    "GET http://[::1]/, [::2], [::2]",
    "GET http://%61/, a, a",
    "GET http://b@a/, b, b",
    "GET http://a/, A, ''",
    "GET http://A.:8080/, a:81, ''",
    "CONNECT a:443, a, ''",
    "GET http://[::1]:80/, [::1], ''",
    "GET /, b, ''",
    "GET //a/, b, ''",
    "OPTIONS *, b, ''"
  })
  void aHostFieldThatTheTargetOverrulesIsShown(String start, String host, String shown) {
    assertThat(parse(start + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")).startsWith("found ");
    assertThat(scratch.peeked().hostField()).hasToString(shown);
  }

  @ParameterizedTest
  @CsvSource({
    "GET / HTTP/1.1|Host: A:80|Host: b, a",
    "GET / HTTP/1.1|Host: a|X: \u0000y, a",
    "GET / HTTP/1.1|Host: a|X : y, a",
    "GET / HTTP/1.1|Host: a| folded, a",
    "GET http://a/ HTTP/1.1|X : y, a",
    "GET http://a/ HTTP/1.1|Accept: */*|, a",
    "GET / HTTP/1.1|X : y|Host: a, ''",
    "GET / HTTP/1.1|Host: b c, ''",
    "GET admin HTTP/1.1, ''"
  })
  void whatIsInvalidShowsTheHostReadBefore(String head, String host) {
    assertThat(parse(head.replace("|", "\r\n") + "\r\n")).startsWith("invalid ");
    assertThat(scratch.peeked().protocol()).isEqualTo(Protocol.HTTP1);
    assertThat(scratch.peeked().host()).hasToString(host);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a b",
        "a, b:1",
        "http//a",
        "user@a",
        "a/b",
        "a\tb",
        "\u00e9",
        "a\u000bb",
        "[::1",
        "[a]"
      })
  void aHostOutsideTheGrammarIsInvalid(String value) {
    assertThat(parse("GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_NAME));
  }

  @ParameterizedTest
  @ValueSource(strings = {"a:x", "a:65536", "a:1:2", "http://a", "a:80 80"})
  void aPortOutOfRangeIsInvalid(String value) {
    assertThat(parse("GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_PORT));
  }

  @Test
  void hostIsCheckedThoughTheTargetBeatsIt() {
    assertThat(parse("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_NAME));
  }

  @ParameterizedTest
  @ValueSource(strings = {"\r\n", "\n", "\r\n\r\n\n"})
  void emptyLinesBeforeTheRequestAreSkipped(String before) {
    assertThat(parse(before + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        .isEqualTo("found http a -1 " + (before.length() + 27));
  }

  @Test
  void aLoneLfEndsALine() {
    assertThat(parse("GET / HTTP/1.1\nHost: a\nX: y\r\n\n")).isEqualTo("found http a -1 30");
  }

  @Test
  void aLoneLfCannotHideASecondHost() {
    assertThat(parse("GET / HTTP/1.1\r\nHost: a\nHost: b\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.HOST_TWICE));
  }

  @ParameterizedTest
  @ValueSource(strings = {"X: a\rb", "X: a\r", "X: a\u0000", "X\r: a", "\r", "X:\rHost: b"})
  void nulAndLoneCrInAFieldLineAreInvalid(String field) {
    assertThat(parse("GET / HTTP/1.1\r\nHost: a\r\n" + field + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.FIELD_VALUE));
  }

  @Test
  void otherControlsInAValueAreTheBackendsBusiness() {
    assertThat(parse("GET / HTTP/1.1\r\nX: \u0001\u000c\u007f\u00ff\r\nHost: a\r\n\r\n"))
        .startsWith("found http a -1 ");
  }

  @ParameterizedTest
  @ValueSource(strings = {" folded", "\tfolded", " ", " Host: b", "  : "})
  void aLineThatBeginsWithABlankIsInvalid(String line) {
    assertThat(parse("GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.FIELD_FOLDED));
    assertThat(parse("GET / HTTP/1.1\r\n" + line + "\r\nHost: a\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.FIELD_FOLDED));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host : a",
        "Host\t: a",
        ": a",
        "a b: c",
        "a@: b",
        "{: b",
        "/: b",
        "a\\b: c",
        "a\u001bb: c",
        "a\u007f: c",
        "[]: a",
        "\u00e9: a"
      })
  void aFieldNameThatIsNoneIsInvalid(String field) {
    assertThat(parse("GET / HTTP/1.1\r\n" + field + "\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.FIELD_NAME));
  }

  @ParameterizedTest
  @ValueSource(strings = {"(request-target)", "X-Data[0]", "X-\u00c3\u00a9", "(a)", "Hostname[]"})
  void anOddFieldNameIsTheBackendsBusiness(String name) {
    assertThat(parse("GET / HTTP/1.1\r\n" + name + ": b\r\nHost: a\r\n\r\n"))
        .startsWith("found http a -1 ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"(Host)", "host[]", "H\u00e9ost", "Host\u0080", "[H]ost"})
  void aFieldNameThatSpellsHostButForOddCharactersIsInvalid(String name) {
    assertThat(parse("GET / HTTP/1.1\r\n" + name + ": b\r\nHost: a\r\n\r\n"))
        .isEqualTo(invalid(Http1Parser.FIELD_NAME));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"GET / HTTP/1.1 ", "GET / HTTP/1.1   ", "GET  / HTTP/1.1", "GET /  HTTP/1.1"})
  void moreSpacesInTheRequestLineAreLetPass(String line) {
    assertThat(parse(line + "\r\nHost: a\r\n\r\n")).startsWith("found http a -1 ");
  }

  @Test
  void aFieldLineWithoutAColonIsInvalid() {
    assertThat(parse("GET / HTTP/1.1\r\nHost\r\n\r\n")).isEqualTo(invalid(Http1Parser.FIELD_COLON));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Content-Length: 4 2", "Transfer-Encoding: pigeons", "Content-Length:"})
  void framingFieldsAreTheBackendsBusiness(String field) {
    assertThat(parse("POST / HTTP/1.1\r\n" + field + "\r\nHost: a\r\n\r\n"))
        .startsWith("found http a -1 ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        " GET / HTTP/1.1",
        "\u0016\u0003\u0001",
        "\u0000",
        ":GET",
        "G\u0000T /",
        "G\tT /",
        "GET\r\n",
        "GET\n",
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "*1\r\n$4\r\nPING\r\n",
        "\rGET /",
        "\r\r\n",
        "\u00e9"
      })
  void bytesThatCannotBeginAMethodAreForeign(String text) {
    assertThat(parse(text)).isEqualTo("foreign");
  }

  @Test
  void aMethodHasALimit() {
    String longest = "M".repeat(Http1Parser.MAX_METHOD_BYTES);

    assertThat(parse(longest + " / HTTP/1.1\r\nHost: a\r\n\r\n")).startsWith("found http a -1 ");
    assertThat(parse(longest)).isEqualTo("incomplete");
    assertThat(parse(longest + "M")).isEqualTo("foreign");
  }

  @Test
  void anotherProtocolWithAFirstLineIsForeign() {
    assertThat(parse("EHLO client.example.com\r\n")).isEqualTo("foreign");
  }

  @Test
  void theRequestLineIsJudgedBeforeTheHeadIsComplete() {
    assertThat(parse("GET admin HTTP/1.1\r\n")).isEqualTo(invalid(RequestLine.TARGET_FORM));
    assertThat(parse("GET admin HTTP/1.1\r")).isEqualTo("incomplete");
  }

  @Test
  void everyProperPrefixIsIncomplete() {
    String head =
        "\r\nGET http://u@[::1]:8/p HTTP/1.1\r\nAccept: */*\r\nHost: shop.example.com:80\r\n\r\n";
    for (int length = 0; length < head.length(); length++) {
      assertThat(parse(head.substring(0, length))).as("%d bytes", length).isEqualTo("incomplete");
    }
  }

  @Test
  void neverEndingHeadsAreCutAtTheLimit() {
    String start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";

    assertThat(parse(start + "x".repeat(LIMIT_BYTES - start.length() - 1))).isEqualTo("incomplete");
    assertThat(parse(start + "x".repeat(LIMIT_BYTES - start.length())))
        .isEqualTo("too large " + LIMIT_BYTES);
    assertThat(parse("\r\n".repeat(LIMIT_BYTES))).isEqualTo("too large " + LIMIT_BYTES);
  }

  @Test
  void aHeadMayEndAtTheLimitAndNotBehindIt() {
    String start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    String fits = start + "x".repeat(LIMIT_BYTES - start.length() - 4) + "\r\n\r\n";
    String tooLong = start + "x".repeat(LIMIT_BYTES - start.length() - 3) + "\r\n\r\n";

    assertThat(parse(fits + "body")).isEqualTo("found http a -1 " + LIMIT_BYTES);
    assertThat(parse(tooLong)).isEqualTo("too large " + LIMIT_BYTES);
  }

  @Test
  void theHttp2PrefaceIsForeignOnceComplete() {
    String preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    assertThat(parse(preface + "more")).isEqualTo("foreign");
    assertThat(parse(preface.substring(0, 23))).isEqualTo("incomplete");
    assertThat(parse("PRI * HTTP/2.0\r\n\r\nSN")).isEqualTo(invalid(RequestLine.VERSION));
    assertThat(parse("PRI * HTTP/2.0\nHost: a")).isEqualTo(invalid(RequestLine.VERSION));
    assertThat(parse("\r\n" + preface)).isEqualTo(invalid(RequestLine.VERSION));
  }

  @Test
  void tellsTheHttp2PrefaceWhenAllOfItIsThere() {
    ByteBuffer preface = ByteBuffer.wrap(latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));

    assertThat(Http1Parser.isHttp2Preface(preface, 24)).isTrue();
    assertThat(Http1Parser.isHttp2Preface(preface, 23)).isFalse();
    assertThat(
            Http1Parser.isHttp2Preface(
                ByteBuffer.wrap(latin1("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n")), 24))
        .isFalse();
  }

  @Test
  void readsNothingBehindTheLength() {
    byte[] flight = latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

    assertThat(Outcome.of(parser.parse(ByteBuffer.wrap(flight), flight.length - 1)))
        .isEqualTo("incomplete");
  }

  @Test
  void leavesTheBuffersPositionAlone() {
    ByteBuffer bytes = ByteBuffer.wrap(latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).position(5);

    assertThat(parser.parse(bytes, bytes.capacity())).isInstanceOf(Parsed.Found.class);
    assertThat(bytes.position()).isEqualTo(5);
  }

  @Test
  void goesOnInAnotherBufferWithTheSameBytes() {
    byte[] flight = latin1("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");

    assertThat(Outcome.of(parser.parse(Outcome.exactly(flight, 30), 30))).isEqualTo("incomplete");
    assertThat(Outcome.of(parser.parse(ByteBuffer.wrap(flight), flight.length)))
        .isEqualTo("found http shop.example.com -1 42");
  }

  @Test
  void resetForgetsTheConnection() {
    assertThat(parse("GET http://a/ HTTP/1.1\r\nHost: a\r\nX: \u0000")).isEqualTo("incomplete");

    assertThat(parse("GET / HTTP/1.0\r\n\r\n")).isEqualTo("absent http  -1 18");
  }

  private String parse(String text) {
    byte[] flight = latin1(text);
    String whole = Outcome.whole(parser, flight);
    assertThat(Outcome.byteByByte(parser, flight)).as("byte by byte").isEqualTo(whole);
    return whole;
  }

  private static String invalid(Parsed.Invalid<Peeked> expected) {
    return Outcome.of(expected);
  }
}
