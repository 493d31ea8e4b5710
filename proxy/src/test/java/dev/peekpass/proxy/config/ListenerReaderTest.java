package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

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
