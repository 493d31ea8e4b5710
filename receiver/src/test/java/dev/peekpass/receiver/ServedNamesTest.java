package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
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
        ".",
        ":443",
        "127.0.0.1:443",
        "[::1]",
        "[::1]:443",
        "shop.example.com\n",
        "user@shop.example.com",
        "shop.example.com:80@evil.example",
        "shop.example.com:x",
        "shop.example.com:80:80",
        "shop.example.com, evil.example",
        "%73hop.example.com",
        "evil.example%00.a.blog.example.com",
        "evil.example:80/a.blog.example.com",
        "evil.example\\a.blog.example.com",
        "evil.example/.a.blog.example.com",
        "[evil].blog.example.com",
        "[shop.example.com]"
      })
  void whatIsNotIsMisdirected(String authority) {
    // A label of * is no name that a client can be asking for, but it is below the suffix.
    boolean star = authority.startsWith("*");
    assertThat(names.isMisdirected(authority, null)).isEqualTo(!star);
  }

  @Test
  void aRequestWithoutAnAuthorityIsForTheServerToJudge() {
    assertThat(names.isMisdirected(null, "shop.example.com")).isFalse();
    assertThat(names.isMisdirected("", "shop.example.com")).isFalse();
    assertThat(names.isMisdirected(" \t", null)).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GET | / | shop.example.com | 0",
        "GET | / | '' | 0",
        "GET | / | NONE | 0",
        "GET | / | evil.example | 421",
        "GET | / | shop.example.com;shop.example.com | 400",
        "GET | / | shop.example.com;'' | 400",
        "GET | /?http://evil.example/ | shop.example.com | 0",
        "GET | //evil.example/ | shop.example.com | 0",
        "OPTIONS | * | shop.example.com | 0",
        "GET | http://shop.example.com/ | SHOP.example.com.:80 | 0",
        "GET | HTTPS://Shop.example.com:8443?q | shop.example.com | 0",
        "GET | http://shop.example.com#f | shop.example.com | 0",
        "GET | http://shop.example.com/ | '' | 0",
        "GET | http://shop.example.com/ | NONE | 0",
        "GET | http://shop.example.com/ | evil.example | 421",
        "GET | http://evil.example/ | shop.example.com | 421",
        "GET | http://evil.example/ | NONE | 421",
        "GET | http://evil.example/ | '' | 421",
        "GET | http://evil.example?/ | shop.example.com | 421",
        "GET | http://evil.example/{ | shop.example.com | 421",
        "GET | x-y://evil.example/ | shop.example.com | 421",
        "GET | http://shop.example.com@evil.example/ | shop.example.com | 421",
        "GET | http://shop.example.com:80@evil.example/ | shop.example.com | 421",
        "GET | http://evil.example\\@shop.example.com/ | shop.example.com | 421",
        "GET | http:///evil.example/ | shop.example.com | 421",
        "GET | http://[::1]/ | shop.example.com | 421",
        "GET | evil.example:80 | shop.example.com | 421",
        "GET | x?http://shop.example.com/ | shop.example.com | 421",
        "CONNECT | shop.example.com:443 | shop.example.com | 0",
        "CONNECT | evil.example:443 | shop.example.com | 421",
        "CONNECT | shop.example.com:443 | evil.example | 421",
        "CONNECT | /shop | shop.example.com | 421"
      })
  void everyHostOfARequestMustBeServed(String method, String target, String hosts, int status) {
    List<String> fields =
        hosts.equals("NONE") ? List.of() : List.of(hosts.replace("'", "").split(";", -1));
    assertThat(names.refusal(method, target, fields, null).orElse(0)).isEqualTo(status);
  }

  @Test
  void aRequestIsHeldToTheNameOfTheHandshakeInTargetAndHost() {
    ServedNames strict = names.onlyTheNameOfTheHandshake();
    String shop = "shop.example.com";
    String blog = "a.blog.example.com";
    assertThat(strict.refusal("GET", "https://" + shop + "/", List.of(shop), shop)).isEmpty();
    assertThat(strict.refusal("GET", "https://" + blog + "/", List.of(shop), shop)).hasValue(421);
    assertThat(strict.refusal("GET", "https://" + shop + "/", List.of(blog), shop)).hasValue(421);
    assertThat(strict.refusal("GET", "/", List.of(blog), shop)).hasValue(421);
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

  @Test
  void aHandshakeWithoutANameIsForNoneOfThem() {
    ServedNames strict = names.onlyTheNameOfTheHandshake();
    String none = ServedNames.NO_SERVER_NAME;
    assertThat(strict.isMisdirected("shop.example.com", none)).isTrue();
    assertThat(strict.isMisdirected(null, none)).isFalse();
    assertThat(strict.refusal("GET", "/", List.of("shop.example.com"), none)).hasValue(421);
    assertThat(names.isMisdirected("shop.example.com", none)).isFalse();
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
