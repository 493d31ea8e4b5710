package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServedNamesTest {
  private final ServedNames names =
      ServedNames.of("shop.example.com", "*.blog.example.com", "bücher.example");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "shop.example.com",
        "shop.example.com:8443",
        "SHOP.Example.COM.",
        "a.blog.example.com",
        "a.b.blog.example.com:443",
        "xn--bcher-kva.example",
        "BÜCHER.example"
      })
  void whatIsRoutedHereIsServed(String authority) {
    assertThat(names.isMisdirected(authority, null)).isFalse();
    assertThat(names.isMisdirected(authority, "shop.example.com")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "example.com",
        "blog.example.com",
        "evil-blog.example.com",
        "a.shop.example.com",
        "shop.example.com.evil.example",
        "shop.example.co",
        "*.blog.example.com.",
        ".blog.example.com",
        "a..blog.example.com",
        "",
        ".",
        ":443",
        "127.0.0.1:443",
        "[::1]",
        "[::1]:443",
        "shop.example.com\n",
        "user@shop.example.com"
      })
  void whatIsNotIsMisdirected(String authority) {
    // A label of * is no name that a client can be asking for, but it is below the suffix.
    boolean star = authority.startsWith("*");
    assertThat(names.isMisdirected(authority, null)).isEqualTo(!star);
  }

  @Test
  void aRequestWithoutAnAuthorityIsForTheServerToJudge() {
    assertThat(names.isMisdirected(null, "shop.example.com")).isFalse();
  }

  @Test
  void aConnectionMayBeHeldToTheNameOfItsHandshake() {
    ServedNames strict = names.onlyTheNameOfTheHandshake();
    assertThat(strict.needsTheHandshake()).isTrue();
    assertThat(strict.isMisdirected("shop.example.com:443", "SHOP.example.com.")).isFalse();
    assertThat(strict.isMisdirected("a.blog.example.com", "shop.example.com")).isTrue();
    assertThat(strict.isMisdirected("other.example", "other.example")).isTrue();
    // Without TLS there is nothing to hold it to.
    assertThat(strict.isMisdirected("a.blog.example.com", null)).isFalse();
    assertThat(names.needsTheHandshake()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "*", "*.", "a.*.example", "**.example", "*example", "a..b", "a b.example"})
  void whatIsNoNameIsRefused(String name) {
    assertThatThrownBy(() -> ServedNames.of(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("*.example.com");
  }

  @Test
  void noNamesAtAllAreRefused() {
    assertThatThrownBy(() -> ServedNames.of(List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
