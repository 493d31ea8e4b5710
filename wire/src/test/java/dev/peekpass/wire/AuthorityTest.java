package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AuthorityTest {
  private final Authority authority = new Authority();

  @ParameterizedTest
  @CsvSource({
    "example.com, example.com, -1",
    "example.com:, example.com, -1",
    "example.com:0, example.com, 0",
    "example.com:65535, example.com, 65535",
    "example.com:000000080, example.com, 80",
    "EXAMPLE.com.:443, EXAMPLE.com., 443",
    "192.0.2.1:80, 192.0.2.1, 80",
    "999.0.2.1, 999.0.2.1, -1",
    "[2001:db8::1]:8443, [2001:db8::1], 8443",
    "[::1], [::1], -1",
    "[::1]:, [::1], -1",
    "[v7.x:y], [v7.x:y], -1",
    "a_b.example, a_b.example, -1",
    "a%41=b, a%41=b, -1"
  })
  void splitsHostAndPort(String text, String host, int port) {
    assertThat(parse(text)).isEqualTo(Authority.Fault.NONE);

    assertThat(text.substring(authority.from() - 1, authority.from() - 1 + authority.length()))
        .isEqualTo(host);
    assertThat(authority.port()).isEqualTo(port);
    assertThat(authority.isEmpty()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", ":", ":80"})
  void tellsWhenThereIsNoHost(String text) {
    assertThat(parse(text)).isEqualTo(Authority.Fault.EMPTY);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a b",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "a\\b",
        "<a>",
        "\"a\"",
        "a\u00e9",
        "a\u0001",
        "a%zz",
        "[::1",
        "[::1]x",
        "[]",
        "[1]",
        "::1]",
        "a]",
        "a[",
        "[::1]80",
        "[::1%25lo]"
      })
  void refusesAHostOutsideTheGrammar(String text) {
    assertThat(parse(text)).isIn(Authority.Fault.HOST, Authority.Fault.EMPTY);
    assertThat(authority.isEmpty()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a:b",
        "a:-1",
        "a:+1",
        "a:65536",
        "a:99999999999999999999",
        "a:80:80",
        "a: 80",
        "2001:db8::1",
        "http://a"
      })
  void refusesAPortThatIsNone(String text) {
    assertThat(parse(text)).isEqualTo(Authority.Fault.PORT);
    assertThat(authority.isEmpty()).isTrue();
  }

  @Test
  void keepsNothingOfAnEarlierAuthority() {
    assertThat(parse("example.com:80")).isEqualTo(Authority.Fault.NONE);

    assertThat(parse("exa mple")).isEqualTo(Authority.Fault.HOST);

    assertThat(authority.isEmpty()).isTrue();
    assertThat(authority.port()).isEqualTo(-1);
  }

  private Authority.Fault parse(String text) {
    // What stands around it must not be read.
    byte[] bytes = latin1("9" + text + "9");
    return authority.parse(ByteBuffer.wrap(bytes), 1, bytes.length - 1);
  }
}
