package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RequestPathTest {
  private static RequestPath valid(String target) {
    assertThat(RequestPath.of(target)).isInstanceOf(RequestPath.Outcome.Valid.class);
    return ((RequestPath.Outcome.Valid) RequestPath.of(target)).path();
  }

  @Test
  void splitsAndDecodes() {
    assertThat(valid("/")).isEqualTo(new RequestPath(List.of(), true, ""));
    assertThat(valid("/a/b%20c?d/../e"))
        .isEqualTo(new RequestPath(List.of("a", "b c"), false, "?d/../e"));
    assertThat(valid("/a/")).isEqualTo(new RequestPath(List.of("a"), true, ""));
    assertThat(valid("/%C3%BC/%3F%23").segments()).containsExactly("ü", "?#");
    assertThat(valid("/\u00c3\u00bc").segments()).containsExactly("ü");
    assertThat(valid("/a+b/...").segments()).containsExactly("a+b", "...");
  }

  @Test
  void takesAbsoluteTargets() {
    assertThat(valid("http://a.example:80/b")).isEqualTo(new RequestPath(List.of("b"), false, ""));
    assertThat(valid("HTTPS://a.example?q")).isEqualTo(new RequestPath(List.of(), true, "?q"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "*",
        "a.example:443",
        "ftp://a/b",
        "a/b",
        "/..",
        "/../",
        "/a/../b",
        "/a/..",
        "/.",
        "/./a",
        "/%2e%2e/etc/passwd",
        "/%2E./etc/passwd",
        "/.%2e/etc/passwd",
        "/..%2fetc%2fpasswd",
        "/a%2fb",
        "/a%2Fb",
        "/a%5c..%5cb",
        "/..\\..\\etc",
        "/a\\b",
        "/a%00.html",
        "/a%0d%0ab",
        "/a%7f",
        "//",
        "//etc/passwd",
        "/a//b",
        "/a//",
        "/%",
        "/%4",
        "/%zz",
        "/%-1",
        "/%c0%ae%c0%ae/etc",
        "/%ff",
        "/%ed%a0%80",
        "/%c3",
        "http://a.example/../b",
        "http://a.example//b",
      })
  void refuses(String target) {
    assertThat(RequestPath.of(target)).isInstanceOf(RequestPath.Outcome.Invalid.class);
  }

  @Test
  void doubleEncodingIsDecodedOnce() {
    assertThat(valid("/%252e%252e/a").segments()).containsExactly("%2e%2e", "a");
  }

  @Test
  void encodesWhatItDecoded() {
    assertThat(valid("/%c3%bc/a%3fb/~c").encoded()).isEqualTo("/%C3%BC/a%3Fb/~c");
    assertThat(valid("/a/").encoded()).isEqualTo("/a/");
    assertThat(valid("/").encoded()).isEqualTo("/");
  }
}
