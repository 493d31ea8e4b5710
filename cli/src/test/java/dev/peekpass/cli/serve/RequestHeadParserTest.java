package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestHeadParserTest {
  private final RequestHeadParser parser = new RequestHeadParser();

  private ParsedHead parse(String text) {
    parser.reset();
    byte[] bytes = text.getBytes(ISO_8859_1);
    return parser.parse(bytes, 0, bytes.length);
  }

  private RequestHead found(String text) {
    assertThat(parse(text)).isInstanceOf(ParsedHead.Found.class);
    return ((ParsedHead.Found) parse(text)).head();
  }

  private int refused(String text) {
    assertThat(parse(text)).isInstanceOf(ParsedHead.Refused.class);
    return ((ParsedHead.Refused) parse(text)).status();
  }

  @Test
  void readsLineAndFields() {
    RequestHead head = found("GET /a?b HTTP/1.1\r\nHost: x\r\nAccept:a\r\nACCEPT: \t b \r\n\r\n");
    assertThat(head.line()).isEqualTo("GET /a?b HTTP/1.1");
    assertThat(head.field("host")).contains("x");
    assertThat(head.field("accept")).contains("a, b");
    assertThat(head.field("range")).isEmpty();
    assertThat(head.bodyBytes()).isEqualTo(OptionalLong.of(0));
  }

  @Test
  void aHeadInPiecesIsTheSameHead() {
    String text = "\r\nHEAD / HTTP/1.0\r\nX: y\r\n\r\n";
    byte[] bytes = (text + "GET").getBytes(ISO_8859_1);
    parser.reset();
    for (int to = 0; to < text.length(); to++) {
      assertThat(parser.parse(bytes, 0, to)).isEqualTo(new ParsedHead.Incomplete());
    }
    assertThat(parser.parse(bytes, 0, bytes.length))
        .isInstanceOfSatisfying(
            ParsedHead.Found.class,
            found -> {
              assertThat(found.lengthBytes()).isEqualTo(text.length());
              assertThat(found.head().line()).isEqualTo("HEAD / HTTP/1.0");
            });
  }

  @Test
  void goesOnAfterTheBytesWereMoved() {
    byte[] bytes = "....GET / HTTP/1.0\r\n\r\n".getBytes(ISO_8859_1);
    parser.reset();
    assertThat(parser.parse(bytes, 4, 12)).isEqualTo(new ParsedHead.Incomplete());
    System.arraycopy(bytes, 4, bytes, 0, bytes.length - 4);
    assertThat(parser.parse(bytes, 0, bytes.length - 4)).isInstanceOf(ParsedHead.Found.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.1 \r\n",
        " GET / HTTP/1.1\r\n",
        "G\u00e9T / HTTP/1.1\r\n",
        "G(T / HTTP/1.1\r\n",
        "GET /\u0000 HTTP/1.1\r\n",
        "GET /\t HTTP/1.1\r\n",
        "GET / http/1.1\r\n",
        "GET / HTTP/11\r\n",
        "GET / HTTP/1.1\n",
        "GET / HTTP/1.1\r\nHost: a\n",
        "\n",
        "GET / HTTP/1.1\r\nHost : a\r\n",
        "GET / HTTP/1.1\r\n: a\r\n",
        "GET / HTTP/1.1\r\nHost\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n",
        "GET / HTTP/1.1\r\nX: a\u0000b\r\n",
        "GET / HTTP/1.1\r\nX: a\rb\r\n",
        "GET / HTTP/1.1\r\nX: a\u007fb\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
      })
  void refusesAsBad(String text) {
    assertThat(refused(text)).isEqualTo(400);
  }

  @ParameterizedTest
  @ValueSource(strings = {"HTTP/2.0", "HTTP/0.9", "HTTP/9.9"})
  void refusesOtherVersions(String version) {
    assertThat(refused("PRI * " + version + "\r\n")).isEqualTo(505);
  }

  @Test
  void laterMinorVersionsAreHttp11() {
    assertThat(found("GET / HTTP/1.7\r\nHost: a\r\n\r\n").minorVersion()).isEqualTo(1);
  }

  @Test
  void refusesTooLongRequestLinesAtTheLimit() {
    String rest = " HTTP/1.0";
    int room = RequestHeadParser.MAX_REQUEST_LINE_BYTES - "GET ".length() - rest.length();
    assertThat(found("GET " + "/".repeat(room) + rest + "\r\n\r\n").target()).hasSize(room);
    assertThat(refused("GET " + "/".repeat(room + 1) + rest + "\r\n\r\n")).isEqualTo(414);
    assertThat(refused("G".repeat(RequestHeadParser.MAX_REQUEST_LINE_BYTES + 3))).isEqualTo(414);
  }

  @Test
  void refusesTooLongHeadsAtTheLimit() {
    String start = "GET / HTTP/1.0\r\nX: ";
    int room = RequestHeadParser.MAX_HEAD_BYTES - start.length() - 4;
    assertThat(found(start + "x".repeat(room) + "\r\n\r\n").fields()).hasSize(1);
    assertThat(refused(start + "x".repeat(room + 1) + "\r\n\r\n")).isEqualTo(431);
    assertThat(refused("\r\n".repeat(RequestHeadParser.MAX_HEAD_BYTES))).isEqualTo(431);
  }

  @Test
  void refusesTooManyFieldsAtTheLimit() {
    String start = "GET / HTTP/1.0\r\n";
    String fields = "a:\r\n".repeat(RequestHeadParser.MAX_FIELDS);
    assertThat(found(start + fields + "\r\n").fields()).hasSize(RequestHeadParser.MAX_FIELDS);
    assertThat(refused(start + fields + "a:\r\n")).isEqualTo(431);
  }

  @Test
  void tellsHowLongTheBodyIs() {
    String start = "POST / HTTP/1.1\r\nHost: a\r\n";
    assertThat(found(start + "Content-Length: 007\r\n\r\n").bodyBytes())
        .isEqualTo(OptionalLong.of(7));
    assertThat(found(start + "Transfer-Encoding: chunked\r\n\r\n").bodyBytes()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "1, , true",
    "1, close, false",
    "1, 'x, Close', false",
    "1, closed, true",
    "0, , false",
    "0, Keep-Alive, true",
    "0, 'keep-alive, close', false",
  })
  void tellsWhetherTheConnectionLives(int minor, String connection, boolean keepsAlive) {
    String field = connection == null ? "" : "Connection: " + connection + "\r\n";
    assertThat(found("GET / HTTP/1." + minor + "\r\nHost: a\r\n" + field + "\r\n").keepsAlive())
        .isEqualTo(keepsAlive);
  }

  @Test
  void takesIpv6AndEmptyHosts() {
    assertThat(found("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").field("host"))
        .contains("[::1]:80");
    assertThat(found("GET / HTTP/1.1\r\nHost:\r\n\r\n").field("host")).contains("");
  }
}
