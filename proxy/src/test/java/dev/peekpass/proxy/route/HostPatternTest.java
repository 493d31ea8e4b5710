package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.HostPattern.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class HostPatternTest {
  @ParameterizedTest
  @CsvSource({
    "shop.example.com, EXACT, shop.example.com",
    "SHOP.Example.COM., EXACT, shop.example.com",
    "localhost, EXACT, localhost",
    "_dns.example.com, EXACT, _dns.example.com",
    "192.0.2.1, EXACT, 192.0.2.1",
    "bücher.example, EXACT, xn--bcher-kva.example",
    "BÜCHER.Example, EXACT, xn--bcher-kva.example",
    "xn--bcher-kva.example, EXACT, xn--bcher-kva.example",
    "例え。テスト, EXACT, xn--r8jz45g.xn--zckzah",
    "*.Example.com, WILDCARD, *.example.com",
    "*.bücher.example., WILDCARD, *.xn--bcher-kva.example",
    "*, ANY, *",
  })
  void givesTheCanonicalForm(String text, Kind kind, String canonical) {
    assertThat(HostPattern.parseHost(text))
        .isEqualTo(new Reading.Good<>(new HostPattern(kind, canonical)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "https://shop.example.com/|is a URL|without scheme and path",
        "shop.example.com:443|has a port|the listener has the port",
        "shop.example.com/cart|has a path|before any request",
        "a@example.com|has a user name|a host name alone",
        "a.example.com,b.example.com|has a comma|as a list",
        "'a.example.com b.example.com'|has a space|several go in [ ]",
        "[2001:db8::1]|is an IPv6 address|host-regex",
        "2001:db8::1|is an IPv6 address|host-regex",
        "api*.example.com|has a * that is not its whole first label|host-regex",
        "*.*.example.com|has a * that is not its whole first label|host-regex",
        "*example.com|has a * that is not its whole first label|host-regex",
        "*.|names no host|a host name alone",
        ".|names no host|a host name alone",
        "''|names no host|a host name alone",
        "a..example.com|has an empty label|one dot",
        ".example.com|has an empty label|one dot",
        "example.com..|has an empty label|one dot",
        "-a.example.com|begins or ends with a hyphen|inside",
        "a-.example.com|begins or ends with a hyphen|inside",
        "a!b.example.com|has the character \"!\"|letters, digits",
        "straße.example|ambiguous|A-labels",
        "βόλος.example|ambiguous|A-labels",
      })
  void refusesWithARemedy(String text, String problem, String remedy) {
    assertThat(HostPattern.parseHost(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad -> {
              assertThat(bad.problem()).contains(problem);
              assertThat(bad.remedy()).contains(remedy);
            });
  }

  @Test
  void boundsLabelsAndNames() {
    String label = "a".repeat(63);
    assertThat(HostPattern.parseHost(label + ".com")).isInstanceOf(Reading.Good.class);
    assertThat(HostPattern.parseHost(label + "a.com")).isInstanceOf(Reading.Bad.class);
    String longest = (label + ".").repeat(3) + "a".repeat(61);
    assertThat(longest).hasSize(253);
    assertThat(HostPattern.parseHost(longest)).isInstanceOf(Reading.Good.class);
    assertThat(HostPattern.parseHost(longest + "a")).isInstanceOf(Reading.Bad.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "[a", "a{70000}", "((((a))))", "*", "\\p{NoSuch}"})
  void refusesExpressions(String text) {
    assertThat(HostPattern.parseRegex(text)).isInstanceOf(Reading.Bad.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"api[0-9]+[.]example[.]org", "a{1,255}", "a{3}", ".*", "x|y{2,}"})
  void takesExpressions(String text) {
    assertThat(HostPattern.parseRegex(text))
        .isEqualTo(new Reading.Good<>(new HostPattern(Kind.REGEX, text)));
  }

  @Test
  void boundsExpressions() {
    assertThat(HostPattern.parseRegex("a".repeat(1024))).isInstanceOf(Reading.Good.class);
    assertThat(HostPattern.parseRegex("a".repeat(1025))).isInstanceOf(Reading.Bad.class);
    assertThat(HostPattern.parseRegex("")).isInstanceOf(Reading.Bad.class);
  }
}
