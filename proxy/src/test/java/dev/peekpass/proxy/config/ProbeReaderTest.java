package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ProbeReaderTest {
  private static ConfigurationReader.Result read(String probe) {
    return ConfigurationReader.read(
        "p.yaml",
        "listeners: [{ bind: \"*:1\", fallback: b }]\nbackends: { b: { handoff: \"unix:/a\", probe: "
            + probe
            + " } }");
  }

  private static ProbeConfig good(String probe) {
    var result = read(probe);
    assertThat(result).isInstanceOf(ConfigurationReader.Valid.class);
    return ((ConfigurationReader.Valid) result)
        .configuration()
        .backends()
        .getFirst()
        .probe()
        .orElseThrow();
  }

  @Test
  void readsWhatIsAskedAndHowOften() {
    assertThat(good("{ http: { host: shop.example } }"))
        .isEqualTo(
            new ProbeConfig(
                new ProbeConfig.Http("/", "shop.example", List.of()),
                Duration.ofSeconds(2),
                Duration.ofSeconds(1),
                2,
                3));
    assertThat(
            good(
                "{ http: { path: \"/up?x=1\", host: a, expect-status: [200, 401] }, every: 100ms,"
                    + " timeout: 10ms, rise: 1, fall: 100 }"))
        .isEqualTo(
            new ProbeConfig(
                new ProbeConfig.Http("/up?x=1", "a", List.of(200, 401)),
                Duration.ofMillis(100),
                Duration.ofMillis(10),
                1,
                100));
    assertThat(good("{ tls: { server-name: shop.example } }").question())
        .isEqualTo(new ProbeConfig.Tls("shop.example"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{ every: 1s }|p.yaml:2:45: the probe asks nothing, write one of http: { path: /, host: NAME }",
        "{ tls: { server-name: a }, http: { host: a } }|p.yaml:2:45: the probe has http and tls",
        "{ http: { path: / } }|p.yaml:2:53: the probe has no host, write http: { host: NAME }",
        "{ tls: {} }|p.yaml:2:52: the probe has no server-name, write tls: { server-name: NAME }",
        "{ tls: { server-name: \"a b\" } }|p.yaml:2:67: \"a b\" is not a host name",
        "{ http: { host: a, path: up } }|p.yaml:2:70: \"up\" is not the path of a request",
        "{ http: { host: a, path: \"/ x\" } }|is not the path of a request",
        "{ tls: { server-name: a_b } }|\"a_b\" is not a host name",
        "{ tls: { server-name: a..b } }|\"a..b\" is not a host name",
        "{ http: { host: a, expect-status: 99 } }|99 is out of range",
        "{ http: { host: a }, every: 99ms }|99ms is out of range",
        "{ http: { host: a }, fall: 0 }|0 is out of range",
        "{ htpp: { host: a } }|p.yaml:2:47: \"htpp\" is not a key of a probe, did you mean \"http\"?",
        "tcp|a probe is a single value, write a mapping with http, tls",
      })
  void saysWhatIsWrongAndWhere(String probe, String mistake) {
    assertThat(read(probe))
        .isInstanceOfSatisfying(
            ConfigurationReader.Mistakes.class,
            mistakes ->
                assertThat(mistakes.mistakes())
                    .extracting(Mistake::toString)
                    .anySatisfy(text -> assertThat(text).contains(mistake)));
  }
}
