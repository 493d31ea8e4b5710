package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FallbackReaderTest {
  private static String fallback(String text) {
    return Texts.listener("fallback: " + text);
  }

  @Test
  void readsEveryKind() {
    assertThat(Texts.valid(fallback("mail")).listeners().getFirst().fallback())
        .isEqualTo(new Fallback.ToBackend(1, "mail"));
    for (Fallback.Kind kind : Fallback.Kind.values()) {
      String text = "{ reject: " + kind.label() + " }";
      assertThat(Texts.valid(fallback(text)).listeners().getFirst().fallback())
          .isEqualTo(new Fallback.Reject(kind, 421));
    }
    assertThat(
            Texts.valid(fallback("{ reject: http-status, status: 503 }"))
                .listeners()
                .getFirst()
                .fallback())
        .isEqualTo(new Fallback.Reject(Fallback.Kind.HTTP_STATUS, 503));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "tls-alert|write { reject: tls-alert }",
        "wbe|did you mean \"web\"?",
        "other|write one of web, mail",
        "[web]|\"fallback\" is a list",
        "\"\"|no backend is named",
        "~|\"fallback\" is empty",
        "{}|the fallback has no reject",
        "{ backend: web, reject: close }|\"backend\" is not a key of a fallback",
        "{ reject: tls_alert }|did you mean \"tls-alert\"?",
        "{ reject: close, status: 404 }|\"status\" has no use with reject: close",
        "{ reject: http-status, status: 399 }|399 is out of range",
        "{ reject: http-status, status: 600 }|600 is out of range",
      })
  void reportsOneMistake(String text, String message) {
    assertThat(Texts.mistakes(fallback(text))).singleElement().asString().contains(message);
  }

  @Test
  void aListenersFallbackComesBeforeTheCommonOne() {
    Configuration all =
        Texts.valid(
            Texts.BACKENDS
                + """
                listeners:
                  - { bind: "*:1" }
                  - { bind: "*:2", fallback: { reject: close } }
                fallback: web
                """);
    assertThat(all.listeners().get(0).fallback()).isEqualTo(new Fallback.ToBackend(0, "web"));
    assertThat(all.listeners().get(1).fallback())
        .isEqualTo(new Fallback.Reject(Fallback.Kind.CLOSE, 421));
  }
}
