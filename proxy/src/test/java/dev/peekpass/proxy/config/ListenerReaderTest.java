package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.IpAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ListenerReaderTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "peek: [auto]|\"peek\" is a list",
        "peek: atuo|did you mean \"auto\"?",
        "peek-timeout: 99ms|99ms is out of range",
        "max-peek: 1023|1023 is out of range",
        "on-mismatch: taget|did you mean \"target\"?",
        "on-mismatch: yes|is not a way to treat a target and a Host that differ",
        "backlog: 65536|65536 is out of range",
        "max-pending: 0|0 is out of range",
        "max-pending-per-client: 0|0 is out of range, write a whole number from 1 to 1048576",
        "max-new-per-client: 100|\"100\" is not a rate, write a whole number from 1 to 1000000 and /s",
        "max-new-per-client: 0/s|0/s is out of range",
        "max-new-per-client: 5/h|\"5/h\" is not a rate",
        "max-new-per-client: /s|\"/s\" is not a rate",
        "max-new-per-client: 1000001/m|1000001/m is out of range",
        "max-new-per-client: 12345678901234567890/m|is out of range",
        "client-prefix: 24|a client-prefix is a single value, write a mapping with ipv4, ipv6",
        "'client-prefix: { ipv4: 33 }'|33 is out of range, write a whole number from 1 to 32",
        "'client-prefix: { ipv6: 0 }'|0 is out of range, write a whole number from 1 to 128",
        "'client-prefix: { ipv5: 1 }'|did you mean \"ipv4\"?",
        "allow: []|\"allow\" is an empty list",
        "deny: 10.0.0.1/8|has bits set behind its prefix, write 10.0.0.0/8",
        "deny: host.example|\"host.example\" is not an address block",
        "ipv6-only: 1|\"1\" is not a boolean",
        "defer-accept: on|\"on\" is not a boolean",
        "routes: web|\"routes\" is a single value",
        "routes:|\"routes\" is empty",
        "accept-proxy-protocol: []|is not supported by this version",
        "bnid: x|did you mean \"bind\"?",
        "fallback: nobody|no backend is named",
      })
  void reportsOneMistake(String line, String message) {
    assertThat(Texts.mistakes(Texts.listener(line))).singleElement().asString().contains(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "peek-timeout: 5s|\"peek-timeout\" has no use with peek: none",
        "max-peek: 4KiB|\"max-peek\" has no use with peek: none",
        "on-mismatch: target|\"on-mismatch\" has no use with peek: none",
        "max-pending: 5|\"max-pending\" has no use with peek: none",
        "max-pending-per-client: 5|\"max-pending-per-client\" has no use with peek: none",
        "routes: []|\"routes\" has no use with peek: none",
        "defer-accept: true|the server speaks first",
      })
  void refusesWhatPeekNoneMakesUseless(String line, String message) {
    assertThat(Texts.mistakes(Texts.listener("peek: none", "fallback: mail", line)))
        .singleElement()
        .asString()
        .contains(message);
  }

  @ParameterizedTest
  @CsvSource({
    "on-mismatch: target, it belongs in a listener",
    "bind: '*:1', it belongs in a listener",
    "trust: always, it belongs in a backend",
    "on-mismatsh: target, write one of"
  })
  void whatStandsOneLevelTooHighIsToldWhereItBelongs(String line, String message) {
    assertThat(Texts.mistakes(Texts.listener() + line + "\n"))
        .singleElement()
        .asString()
        .contains("is not a key of a configuration, " + message);
  }

  @Test
  void readsWhoIsLetInAndHowMuchOfOneClientIs() {
    Configuration read =
        Texts.valid(
            "max-pending-per-client: 50\nclient-prefix: { ipv6: 48 }\n"
                + Texts.listener(
                    "max-new-per-client: 600/m",
                    "client-prefix: { ipv4: 24 }",
                    "allow: [192.0.2.0/24, \"2001:db8::/32\"]",
                    "deny: 192.0.2.9")
                + "  - { bind: \"[::]:80\", max-pending-per-client: 7 }\n");
    assertThat(read.perClient())
        .isEqualTo(
            new ClientLimits(OptionalInt.of(50), Optional.empty(), new ClientPrefix(32, 48)));
    assertThat(read.listeners().getFirst().perClient())
        .isEqualTo(
            new ClientLimits(
                OptionalInt.empty(),
                Optional.of(new Rate(600, Duration.ofMinutes(1))),
                new ClientPrefix(24, 64)));
    assertThat(read.listeners().getLast().perClient())
        .as("the prefix at the top is for listeners that have none of their own")
        .isEqualTo(new ClientLimits(OptionalInt.of(7), Optional.empty(), new ClientPrefix(32, 48)));
    AccessList access = read.listeners().getFirst().access();
    assertThat(letsIn(access, "192.0.2.8")).isTrue();
    assertThat(letsIn(access, "192.0.2.9")).as("deny wins").isFalse();
    assertThat(letsIn(access, "2001:db8::1")).isTrue();
    assertThat(letsIn(access, "198.51.100.1")).isFalse();
    assertThat(read.listeners().getLast().access()).isEqualTo(AccessList.OPEN);
  }

  private static boolean letsIn(AccessList access, String address) {
    IpAddress ip = IpAddress.parse(address).orElseThrow();
    return access.letsIn(ip.high(), ip.low());
  }

  @Test
  void warnsOfALimitForOneClientThatNeverActs() {
    assertThat(Texts.warnings(Texts.listener("max-pending: 9", "max-pending-per-client: 9")))
        .anyMatch(line -> line.contains("one client may hold all that max-pending allows"));
    assertThat(Texts.warnings(Texts.listener("max-pending: 9", "max-pending-per-client: 8")))
        .noneMatch(line -> line.contains("max-pending"));
  }

  @Test
  void peekNoneNeedsABackend() {
    assertThat(Texts.mistakes(Texts.listener("peek: none")))
        .singleElement()
        .asString()
        .startsWith("5:5: a listener with peek: none passes all to its fallback");
    assertThat(Texts.mistakes(Texts.listener("peek: none") + "fallback: mail\n")).isEmpty();
    assertThat(Texts.mistakes(Texts.listener("peek: none", "defer-accept: false", "fallback: web")))
        .isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[\"*:1\", \"[::]:1\"]|\"[::]:1\" is bound at line 1 already",
        "[\"0.0.0.0:1\", \"[::]:1\"]|\"[::]:1\" collides with 0.0.0.0:1",
        "[\"[::]:1\", \"0.0.0.0:1\"]|\"0.0.0.0:1\" collides with [::]:1",
        "[\"127.0.0.1:1\", \"127.0.0.1:1\"]|is bound at line 1 already",
        "[]|\"bind\" is an empty list",
        "~|\"bind\" is empty",
      })
  void reportsAddressesThatCollide(String bind, String message) {
    assertThat(Texts.mistakes("listeners: [{ bind: " + bind + " }]"))
        .singleElement()
        .asString()
        .contains(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[{ bind: \"*:1\" }, { bind: \"0.0.0.0:2\" }]",
        "[{ bind: \"[::]:1\", ipv6-only: true }, { bind: \"0.0.0.0:1\" }]",
        "[{ bind: \"0.0.0.0:1\" }, { bind: \"[::]:1\", ipv6-only: true }]",
        "[{ bind: [\"127.0.0.1:0\", \"127.0.0.1:0\"] }]",
        "[{ bind: [\"127.0.0.1:1\", \"[::1]:1\", \"127.0.0.2:1\"] }]",
      })
  void takesAddressesThatDoNotCollide(String listeners) {
    assertThat(Texts.mistakes("listeners: " + listeners)).isEmpty();
  }

  @Test
  void ipv4HasNoPlaceInAnIpv6OnlyListener() {
    assertThat(Texts.mistakes("listeners: [{ bind: \"127.0.0.1:1\", ipv6-only: true }]"))
        .containsExactly(
            "1:21: \"127.0.0.1:1\" is IPv4 in a listener that is ipv6-only, give it a listener of"
                + " its own");
  }

  @Test
  void aMistakenCommonFallbackIsReportedOnce() {
    assertThat(Texts.mistakes(Texts.listener("peek: none") + "fallback: nobody\n")).hasSize(1);
  }
}
