package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestLineTest {
  private final RequestLine line = new RequestLine();

  @ParameterizedTest
  @CsvSource({
    "GET http://example.com/ HTTP/1.1, example.com, -1",
    "GET http://example.com:8080/ HTTP/1.1, example.com, 8080",
    "GET HTTP://example.com HTTP/1.1, example.com, -1",
    "GET https://example.com?q HTTP/1.1, example.com, -1",
    "GET ws://example.com:1#f HTTP/1.1, example.com, 1",
    "GET git+ssh://example.com/x@y HTTP/1.1, example.com, -1",
    "GET http://u:p@example.com:80/ HTTP/1.1, example.com, 80",
    "GET http://@example.com/ HTTP/1.1, example.com, -1",
    "GET http://a%12:b!&*$@example.com/ HTTP/1.1, example.com, -1",
    "GET http://[::1]:80/ HTTP/1.1, [::1], 80",
    "CONNECT example.com:443 HTTP/1.1, example.com, 443",
    "CONNECT [2001:db8::1]:443 HTTP/1.0, [2001:db8::1], 443"
  })
  void findsTheAuthorityOfTheTarget(String text, String host, int port) {
    assertThat(parse(text)).isNull();

    Authority authority = line.authority();
    assertThat(text.substring(authority.from(), authority.from() + authority.length()))
        .isEqualTo(host);
    assertThat(authority.port()).isEqualTo(port);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/1.1",
        "GET //example.com/ HTTP/1.1",
        "GET /?http://example.com/ HTTP/1.1",
        "GET /@example.com HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "M-SEARCH * HTTP/1.1",
        "GET /with_\"quotes\"|and\\#frag HTTP/1.0",
        "GET /\u00ce\u00b4 HTTP/1.1"
      })
  void findsNoAuthorityInOtherForms(String text) {
    assertThat(parse(text)).isNull();
    assertThat(line.authority().isEmpty()).isTrue();
  }

  @Test
  void hostIsRequiredFromHttp11On() {
    assertThat(parse("GET / HTTP/1.0")).isNull();
    assertThat(line.hostRequired()).isFalse();
    assertThat(parse("GET / HTTP/1.1")).isNull();
    assertThat(line.hostRequired()).isTrue();
    assertThat(parse("GET / HTTP/1.9")).isNull();
    assertThat(line.hostRequired()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /",
        "GET ",
        "GET / http/1.1",
        "GET / HTP/1.1",
        "PLAY rtsp://example.com/ RTSP/1.0",
        "SOURCE /radio ICE/1.0",
        "INVITE sip:a@example.com SIP/2.0",
        "EHLO example.com",
        "A001 LOGIN user password"
      })
  void anotherProtocolIsForeign(String text) {
    assertThat(parse(text)).isInstanceOf(Parsed.Foreign.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET  HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET / HTTP/ 1.1",
        "GET http://a/ http://b/ HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / HTTP/1.1 HTTP/1.1"
      })
  void aLineOfAnotherShapeIsInvalid(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.SHAPE);
  }

  @ParameterizedTest
  @CsvSource({
    "GET http://a/ HTTP/1.1|, a",
    "GET  http://a/ HTTP/1.1, a",
    "GET http://a/   HTTP/1.1, a",
    "CONNECT   a:443  HTTP/1.1||, a"
  })
  void moreSpacesBetweenAndBehindAreLetPass(String text, String host) {
    String spaced = text.replace('|', ' ');
    assertThat(parse(spaced)).isNull();
    int from = line.authority().from();
    assertThat(spaced.substring(from, from + line.authority().length())).isEqualTo(host);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/1.1x",
        "GET / HTTP/1.10",
        "GET / HTTP/11.1",
        "GET / HTTP/01.1",
        "GET / HTTP/1,1",
        "GET / HTTP/0.9",
        "GET / HTTP/2.0",
        "GET / HTTP/5.6"
      })
  void anotherVersionIsInvalid(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.VERSION);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /\u0000 HTTP/1.1",
        "GET /\r HTTP/1.1",
        "GET /\u007f HTTP/1.1",
        "GET /\ta HTTP/1.1"
      })
  void controlCharactersInTheTargetAreInvalid(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.TARGET_CHARACTER);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET admin HTTP/1.1",
        "GET example.com:80 HTTP/1.1",
        "OPTIONS */x HTTP/1.1",
        "GET ?q HTTP/1.1",
        "GET mailto:a@example.com HTTP/1.1",
        "GET http:/example.com/ HTTP/1.1",
        "GET ://example.com/ HTTP/1.1",
        "GET 1http://example.com/ HTTP/1.1",
        "connect example.com:443 HTTP/1.1"
      })
  void aTargetOfNoneOfTheFourFormsIsInvalid(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.TARGET_FORM);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET http:/// HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http://:80/ HTTP/1.1",
        "GET http://a:b/ HTTP/1.1",
        "GET http://a:65536/ HTTP/1.1",
        "GET http://a@b@c/ HTTP/1.1",
        "GET http://a\\b/ HTTP/1.1",
        "GET http://a%/ HTTP/1.1",
        "GET http://u%@a/ HTTP/1.1",
        "GET http://[::1/ HTTP/1.1",
        "GET http://::1/ HTTP/1.1"
      })
  void aBrokenAuthorityIsInvalid(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.TARGET_AUTHORITY);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "CONNECT example.com HTTP/1.1",
        "CONNECT example.com: HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT * HTTP/1.1",
        "CONNECT http://example.com:80 HTTP/1.1",
        "CONNECT user@example.com:80 HTTP/1.1",
        "CONNECT example.com:80/ HTTP/1.1"
      })
  void connectWantsHostAndPort(String text) {
    assertThat(parse(text)).isSameAs(RequestLine.CONNECT_TARGET);
  }

  private @Nullable Parsed<Peeked> parse(String text) {
    byte[] bytes = latin1(text);
    return line.parse(ByteBuffer.wrap(bytes), 0, text.indexOf(' '), bytes.length);
  }
}
