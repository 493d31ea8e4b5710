package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.Locale;
import javax.net.ssl.SNIHostName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HostNameTest {
  private final HostName host = new HostName();

  private void set(String name) {
    byte[] bytes = Outcome.latin1(name);
    host.set(ByteBuffer.wrap(bytes), 0, bytes.length);
  }

  @Test
  void aWordEndsBeforeItsOffset() {
    set("Shop.Example.COM.");
    assertThat(host.length()).isEqualTo("shop.example.com".length());
    assertThat(host.wordBefore(host.length())).isEqualTo(word("mple.com"));
    assertThat(host.wordBefore(9)).isEqualTo(word("hop.exam"));
  }

  @Test
  void zerosStandBeforeTheName() {
    set("a-name-that-was-here-before.example");
    set("ab.c");
    assertThat(host.wordBefore(4)).isEqualTo(word("\0\0\0\0ab.c"));
    assertThat(host.wordBefore(2)).isEqualTo('a' << 8 | 'b');
    assertThat(host.wordBefore(0)).isZero();
    host.clear();
    assertThat(host.wordBefore(0)).isZero();
  }

  @Test
  void theLongestNameHasWordsToItsEnd() {
    set("x".repeat(HostName.MAX_BYTES - 1) + "y");
    assertThat(host.wordBefore(HostName.MAX_BYTES)).isEqualTo(word("xxxxxxxy"));
    set("x".repeat(HostName.MAX_BYTES + 1));
    assertThat(host.length()).isZero();
  }

  @Test
  void comparesItsEnd() {
    set("www.Example.com");
    byte[] other = Outcome.latin1("--example.com--");
    assertThat(host.endEquals(4, other, 2, 11)).isTrue();
    assertThat(host.endEquals(4, other, 2, 10)).isFalse();
    assertThat(host.endEquals(3, other, 1, 12)).isFalse();
    assertThat(host.endEquals(15, other, 0, 0)).isTrue();
    assertThat(host.endEquals(4, Outcome.latin1("example.org"), 0, 11)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a",
        "Shop.Example.com.",
        "a_b.x",
        "*.x",
        "a..b",
        "192.0.2.1",
        "[::1]",
        "[v7.x:y]"
      })
  void whatEveryReaderTakesForTheSameNameIsRoutable(String name) {
    set(name);
    assertThat(host.isRoutable()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ".",
        "a%41.x",
        "b\u00c3\u00bccher.x",
        "\u00ef\u00bd\u0081dmin.x",
        "a:443",
        "a.x:b.x",
        "a/b.x",
        "u@a.x",
        "a\\b.x",
        "a\"b.x",
        "[::1",
        "[::1].x",
        "::1",
        "[a]",
        "[]"
      })
  void whatReadersDecodeMapOrCutIsNot(String name) {
    set("shop.example.com");
    set(name);
    assertThat(host.isRoutable()).isFalse();
    assertThat(host.raw()).isEqualTo(name);
    set("x".repeat(HostName.MAX_BYTES + 1));
    assertThat(host.isRoutable()).isFalse();
    set("a");
    host.clear();
    assertThat(host.isRoutable()).isFalse();
  }

  /** The JDK maps names (RFC 3490) before a server sees them. */
  @Test
  void theJdkTakesARoutableNameForNoOther() {
    for (int b = 0x21; b < 0x100; b++) {
      for (String name :
          new String[] {"%c.shop.example", "shop.exa%cmple", "s\u00ef\u00bd%chop.example"}) {
        String sent = name.formatted((char) b);
        set(sent);
        if (host.isRoutable()) {
          assertThat(byTheJdk(sent)).as(sent).isIn("", host.toString());
        }
      }
    }
    // Full-width a: what the rule is for.
    String fullWidth = "\u00ef\u00bd\u0081dmin.example";
    set(fullWidth);
    assertThat(byTheJdk(fullWidth)).isEqualTo("admin.example");
    assertThat(host.isRoutable()).isFalse();
  }

  private static String byTheJdk(String name) {
    try {
      return new SNIHostName(Outcome.latin1(name)).getAsciiName().toLowerCase(Locale.ROOT);
    } catch (IllegalArgumentException e) {
      return "";
    }
  }

  private static long word(String text) {
    return ByteBuffer.wrap(Outcome.latin1(text)).getLong();
  }
}
