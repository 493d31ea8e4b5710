package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.HostPattern;
import dev.peekpass.proxy.route.Route;
import dev.peekpass.proxy.route.RouteTable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class RouteReaderTest {
  private static String routes(String... routes) {
    return Texts.listener("routes:", "  - " + String.join("\n      - ", routes), "fallback: mail");
  }

  @Test
  void readsPatternsAndConditions() {
    RouteTable table =
        Texts.valid(
                routes(
                    "{ host: a.example, alpn: h2, from: [\"::1\", 10.0.0.0/8], backend: mail }",
                    "{ host: [a.example, \"*.A.example.\"], host-regex: x+, backend: web }"))
            .listeners()
            .getFirst()
            .routes();
    Route conditional = table.route(0);
    assertThat(conditional.alpn()).containsExactly("h2");
    assertThat(conditional.from()).hasToString("[::1/128, 10.0.0.0/8]");
    assertThat(conditional.backendName()).isEqualTo("mail");
    assertThat(conditional.backendIndex()).isEqualTo(1);
    assertThat(conditional.line()).isEqualTo(7);
    assertThat(table.route(1).patterns())
        .extracting(HostPattern::toString)
        .containsExactly("a.example", "*.a.example", "/x+/");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{ alpn: h2, backend: web }|the route has no host",
        "{ host: a.example }|the route has no backend",
        "{ host: [], backend: web }|\"host\" is an empty list",
        "{ host: [a, [b]], backend: web }|\"host\" is a list",
        "{ host: a, alpn: \"\", backend: web }|is not an ALPN name",
        "{ host: a, alpn: \"h 2\", backend: web }|is not an ALPN name",
        "{ host: a, from: home, backend: web }|is not an address block",
        "{ host: a, from: ~, backend: web }|\"from\" is empty",
        "{ host: a, backend: [web] }|\"backend\" is a list",
        "{ host: [a, A.], backend: web }|is in the route already",
        "{ host-regex: \"(\", backend: web }|is not a regular expression",
        "{ host-regex: \"((((a))))\", backend: web }|nests groups",
      })
  void reportsOneMistake(String route, String message) {
    assertThat(Texts.mistakes(routes(route))).singleElement().asString().contains(message);
  }

  @Test
  void reportsARouteThatNothingReaches() {
    assertThat(
            Texts.mistakes(
                routes(
                    "{ host: [a, b], backend: web }",
                    "{ host: c, alpn: h2, backend: web }",
                    "{ host: [c, B], alpn: h2, backend: web }",
                    "{ host: c, alpn: h2, from: 10.0.0.0/8, backend: web }")))
        .containsExactly(
            "9:18: \"c\" never comes here, the route at line 8 takes it, remove one of them, or"
                + " give the earlier one other conditions",
            "9:21: \"b\" never comes here, the route at line 7 takes it, remove one of them, or"
                + " give the earlier one other conditions");
  }

  @Test
  void warnsOfAStarThatLeavesNothingToTheExpressions() {
    assertThat(
            Texts.warnings(
                routes("{ host-regex: x+, backend: web }", "{ host: \"*\", backend: web }")))
        .containsExactly(
            "8:17: host \"*\" takes every name before any host-regex is tried, write fallback:"
                + " BACKEND instead of it");
    assertThat(
            Texts.warnings(
                routes(
                    "{ host-regex: x+, backend: web }", "{ host: \"*\", alpn: h2, backend: web }")))
        .isEmpty();
  }

  @Test
  void aListenersRoutesReplaceTheCommonOnes() {
    Configuration all =
        Texts.valid(
            Texts.BACKENDS
                + """
                listeners:
                  - { bind: "*:1" }
                  - { bind: "*:2", routes: [ { host: b, backend: mail } ] }
                  - { bind: "*:3", routes: [] }
                routes: [ { host: a, backend: web } ]
                """);
    assertThat(all.listeners().get(0).routes()).isSameAs(all.routes());
    assertThat(all.listeners().get(1).routes().route(0).backendName()).isEqualTo("mail");
    assertThat(all.listeners().get(1).routes().size()).isEqualTo(1);
    assertThat(all.listeners().get(2).routes().size()).isZero();
  }
}
