package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.Reading;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class BackendReaderTest {
  @Test
  void takesAbsolutePathsUpToTheLengthOfASocketAddress() {
    String longest = "/" + "a".repeat(106);
    assertThat(BackendReader.unixPath("unix:" + longest)).isEqualTo(new Reading.Good<>(longest));
    assertThat(BackendReader.unixPath("unix:" + longest + "a")).isInstanceOf(Reading.Bad.class);
    // Two bytes a letter.
    assertThat(BackendReader.unixPath("unix:/" + "\u00fc".repeat(53)))
        .isInstanceOf(Reading.Good.class);
    assertThat(BackendReader.unixPath("unix:/" + "\u00fc".repeat(54)))
        .isInstanceOf(Reading.Bad.class);
  }

  @ParameterizedTest
  @CsvSource({
    "/run/a, is not a UNIX socket, unix:/run/a",
    "unix:, is not a UNIX socket, unix:/absolute/path",
    "tcp:/a, is not a UNIX socket, unix:/absolute/path",
    "unix:a, is a relative path, unix:/absolute/path",
    "unix:@a, is an abstract socket, unix:/absolute/path",
    "unix:/run/, is not the path of a socket, unix:/absolute/path",
  })
  void refusesOtherSockets(String text, String problem, String remedy) {
    assertThat(BackendReader.unixPath(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad -> {
              assertThat(bad.problem()).contains(problem);
              assertThat(bad.remedy()).contains(remedy);
            });
  }

  private static String backend(String text) {
    return "listeners: [{ bind: \"*:1\", fallback: b }]\nbackends: { b: " + text + " }";
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{ handoff: \"unix:/a\", relay: \"10.0.0.1:1\" }|\"relay\" is not supported",
        "{ relay: \"10.0.0.1:1\" }|\"relay\" is not supported",
        "{ handoff: \"unix:/a\", batch: 0 }|0 is out of range, write a whole number from 1 to 253",
        "{ handoff: \"unix:/a\", batch: 254 }|254 is out of range",
        "{ handoff: \"unix:/a\", method: once, batch: 2 }|\"batch\" has no use with method: once",
        "{ handoff: \"unix:/a\", proxy-protocol: v2 }|\"proxy-protocol\" is not supported",
        "{ handoff: \"unix:/a\", ack-timeout: 9ms }|is out of range",
        "{ handoff: \"unix:/a\", balance: random }|\"random\" is not a way to balance",
        "{ handoff: \"unix:/a\", balance: source_hash }|did you mean \"source-hash\"?",
        "{ handoff: \"unix:/a\", slow-start: 61m }|61m is out of range, write a whole number of ms, s or"
            + " m, from 0s to 60m",
        "{ handoff: \"unix:/a\", max-unreceived: 5 }|5 is out of range, write a whole number from 6 to"
            + " 1024",
        "{ handoff: \"unix:/a\", method: once, max-unreceived: 9 }|\"max-unreceived\" has no use with"
            + " method: once",
        "{ handoff: \"unix:/a\", method: acknowledged, max-unreceived: 9 }|\"max-unreceived\" has no"
            + " use with method: acknowledged",
        "{ handoff: \"unix:/a\", method: acknowledged, probe: { tls: { server-name: a } } }|\"probe\""
            + " has no use with method: acknowledged",
        "{ handoff: \"unix:/a\", backup: b }|backend \"b\" is its own backup",
        "{ handoff: \"unix:/a\", backup: c }|no backend is named \"c\"",
        "{ handoff: \"unix:/a\", max-queue: -1 }|\"-1\" is not a whole number",
        "{ handoff: \"unix:/a\", hand-off-timeout: 0s }|0s is out of range",
        "{ handoff: [] }|\"handoff\" is an empty list",
        "{ handoff: { a: b } }|\"handoff\" is a mapping",
        "{}|has no handoff",
        "unix:/a|a backend is a single value",
      })
  void reportsOneMistake(String text, String message) {
    assertThat(Texts.mistakes(backend(text))).singleElement().asString().contains(message);
  }

  @Test
  void backendsAreAMapping() {
    assertThat(Texts.mistakes("listeners: [{ bind: \"*:1\" }]\nbackends: [a]"))
        .containsExactly("2:11: \"backends\" is a list, write a mapping, NAME: { handoff: ... }");
  }
}
