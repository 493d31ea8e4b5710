package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Http2RequestTest {
  private static final String GET = ":method=GET;:scheme=http;:path=/";

  private final Http2Request request = new Http2Request();
  private String list = "";

  @Test
  void authorityNamesTheHost() {
    assertThat(read(GET + ";:authority=a.example:8080;accept=*/*")).isNull();
    assertThat(host()).isEqualTo("a.example 8080");
  }

  @Test
  void hostStandsInForAuthority() {
    assertThat(read(GET + ";host=a.example")).isNull();
    assertThat(host()).isEqualTo("a.example -1");
  }

  @Test
  void aRequestMayNameNoHost() {
    assertThat(read(GET + ";accept=*/*")).isNull();
    assertThat(request.host().isEmpty()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "http, a.example, a.example",
    "http, a.example, A.Example.",
    "http, a.example:80, a.example",
    "https, a.example, a.example:443",
    "https, a.example:8443, a.example:8443",
    "foo, a.example, a.example",
    "http, [::1], [::1]:80"
  })
  void authorityAndHostMayBothNameTheSame(String scheme, String authority, String host) {
    assertThat(
            read(
                ":method=GET;:scheme="
                    + scheme
                    + ";:path=/;:authority="
                    + authority
                    + ";host="
                    + host))
        .isNull();
    assertThat(host()).startsWith(authority.replaceFirst(":[0-9]+$", ""));
  }

  @ParameterizedTest
  @CsvSource({
    "http, a.example, b.example",
    "http, a.example, a.example.org",
    "http, a.example, a.example:81",
    "http, a.example, a.example:443",
    "https, a.example:80, a.example",
    "foo, a.example:80, a.example"
  })
  void authorityAndHostMayNotDiffer(String scheme, String authority, String host) {
    String start = ":method=GET;:scheme=" + scheme + ";:path=/;:authority=" + authority;

    assertThat(read(start + ";host=" + host)).isSameAs(Http2Request.HOST_DIFFERS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {" ", " a", "a ", ":80", "a b", "user@a", "a/", "a:x", "a:65536", "http://a"})
  void aBrokenAuthorityIsInvalid(String authority) {
    assertThat(read(GET + ";:authority=" + authority)).isSameAs(Http2Request.AUTHORITY);
  }

  @ParameterizedTest
  @ValueSource(strings = {" ", " a", "a\t", ":80", "a, b", "user@a", "a:x"})
  void aBrokenHostIsInvalidEvenBesideAnAuthority(String host) {
    assertThat(read(GET + ";:authority=a;host=" + host)).isSameAs(Http2Request.HOST);
  }

  @ParameterizedTest
  @ValueSource(strings = {";:authority=", ";host=", ";:authority=;host="})
  void whatIsEmptyNamesNobody(String fields) {
    assertThat(read(GET + fields)).isNull();
    assertThat(request.host().isEmpty()).isTrue();
  }

  @Test
  void besideAnEmptyHostTheAuthorityCountsButNotTheOtherWayRound() {
    assertThat(read(GET + ";:authority=a;host=")).isNull();
    assertThat(host()).isEqualTo("a -1");
    assertThat(read(GET + ";:authority=;host=a")).isSameAs(Http2Request.HOST_DIFFERS);
  }

  @ParameterizedTest
  @ValueSource(strings = {";host=a;host=a", ";host=;host=a", ";host=a;host="})
  void aSecondHostIsInvalid(String fields) {
    assertThat(read(GET + fields)).isSameAs(Http2Request.HOST_TWICE);
  }

  @ParameterizedTest
  @ValueSource(strings = {":authority=a", ":method=GET", ":scheme=http", ":path=/"})
  void pseudoFieldsComeOnce(String field) {
    assertThat(read(GET + ";:authority=a;" + field)).isSameAs(Http2Request.PSEUDO_TWICE);
  }

  @ParameterizedTest
  @ValueSource(strings = {":authority=a", ":path=/", ":unknown=x"})
  void pseudoFieldsComeFirst(String field) {
    assertThat(read(":method=GET;:scheme=http;accept=*/*;" + field))
        .isSameAs(Http2Request.PSEUDO_LATE);
  }

  @ParameterizedTest
  @ValueSource(strings = {":status=200", ":protocol=websocket", ":host=a", ":authority2=a"})
  void otherPseudoFieldsAreInvalid(String field) {
    assertThat(read(GET + ";" + field)).isSameAs(Http2Request.PSEUDO_UNKNOWN);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        ":scheme=http;:path=/;:authority=a",
        ":method=GET;:path=/;:authority=a",
        ":method=GET;:scheme=http;:authority=a",
        "host=a"
      })
  void methodSchemeAndPathAreNeeded(String fields) {
    assertThat(read(fields)).isSameAs(Http2Request.PSEUDO_MISSING);
  }

  @Test
  void theEmptyListIsInvalid() {
    request.clear();
    assertThat(request.finish(ByteBuffer.allocate(0))).isSameAs(Http2Request.PSEUDO_MISSING);
  }

  @Test
  void theEmptyPathIsInvalid() {
    assertThat(read(":method=GET;:scheme=http;:path=")).isSameAs(Http2Request.PATH_EMPTY);
  }

  @Test
  void connectHasMethodAndAuthorityOnly() {
    assertThat(read(":method=CONNECT;:authority=a:443")).isNull();
    assertThat(host()).isEqualTo("a 443");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        ":method=CONNECT",
        ":method=CONNECT;host=a:443",
        ":method=CONNECT;:authority=a",
        ":method=CONNECT;:authority=a:443;:path=/",
        ":method=CONNECT;:authority=a:443;:scheme=http",
        ":method=CONNECT;:scheme=http;:path=/;:authority=a:443"
      })
  void otherConnectsAreInvalid(String fields) {
    assertThat(read(fields)).isSameAs(Http2Request.CONNECT);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "=x",
        "Accept=x",
        "a b=x",
        "a:b=x",
        "a\u0000=x",
        "a\u007f=x",
        "\u00e9=x",
        "a@b=x",
        "X-data[0]=x",
        "(host)=a",
        "host[]=a",
        "host\u0080=a",
        ":=x",
        ":Path=x",
        "hosT=a"
      })
  void fieldNamesThatAreNoneAreInvalid(String field) {
    assertThat(read(GET + ";" + field)).isSameAs(Http2Request.FIELD_NAME);
  }

  @ParameterizedTest
  @ValueSource(strings = {"(request-target)", "x-data[0]", "x-\u00c3\u00a9"})
  void oddFieldNamesAreTheBackendsBusiness(String name) {
    assertThat(read(GET + ";" + name + "=x;host=a")).isNull();
    assertThat(host()).isEqualTo("a -1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\u0000b", "a\rb", "a\nb"})
  void fieldValuesThatAnHttp1ReaderWouldCutAreInvalid(String value) {
    assertThat(read(GET + ";x=" + value)).isSameAs(Http2Request.FIELD_VALUE);
  }

  @ParameterizedTest
  @ValueSource(strings = {" a", "a ", "\ta", "a\t", " ", "a\u0001"})
  void otherFieldValuesAreTheBackendsBusiness(String value) {
    assertThat(read(GET + ";x=" + value + ";host=a")).isNull();
    assertThat(host()).isEqualTo("a -1");
  }

  @Test
  void connectionSpecificFieldsAreTheBackendsBusiness() {
    assertThat(read(GET + ";:authority=a;connection=keep-alive;te=gzip")).isNull();
    assertThat(host()).isEqualTo("a -1");
  }

  @Test
  void clearForgetsEverything() {
    assertThat(read(":method=CONNECT;:authority=a:443")).isNull();

    assertThat(read(GET)).isNull();
    assertThat(request.host().isEmpty()).isTrue();
  }

  private @Nullable Parsed<Peeked> read(String fields) {
    request.clear();
    list = fields.replace("=", "").replace(";", "");
    ByteBuffer text = ByteBuffer.wrap(latin1(list));
    int at = 0;
    for (String field : fields.split(";", -1)) {
      int nameLength = field.indexOf('=');
      int valueFrom = at + nameLength;
      int valueEnd = at + field.length() - 1;
      Parsed<Peeked> fault = request.field(text, at, valueFrom, valueEnd);
      if (fault != null) {
        return fault;
      }
      at = valueEnd;
    }
    return request.finish(text);
  }

  private String host() {
    Authority host = request.host();
    return list.substring(host.from(), host.from() + host.length()) + " " + host.port();
  }
}
