package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

class AsciiTest {
  private static final String LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  private static final String DIGITS = "0123456789";

  @Test
  void tokenCharactersAreThoseOfRfc9110() {
    assertClass(b -> Ascii.isTokenChar((byte) b), LETTERS + DIGITS + "!#$%&'*+-.^_`|~");
  }

  @Test
  void regNameCharactersAreUnreservedAndSubDelims() {
    assertClass(b -> Ascii.isRegNameChar((byte) b), LETTERS + DIGITS + "-._~!$&'()*+,;=");
  }

  @Test
  void schemeCharactersAreThoseOfRfc3986() {
    assertClass(b -> Ascii.isSchemeChar((byte) b), LETTERS + DIGITS + "+-.");
  }

  @Test
  void hexDigitsHaveEitherCase() {
    assertClass(b -> Ascii.isHexDigit((byte) b), DIGITS + "abcdefABCDEF");
  }

  @Test
  void lettersDigitsAndBlanks() {
    assertClass(b -> Ascii.isAlpha((byte) b), LETTERS);
    assertClass(b -> Ascii.isDigit((byte) b), DIGITS);
    assertClass(b -> Ascii.isBlank((byte) b), " \t");
  }

  @Test
  void percentEncodingNeedsTwoHexDigits() {
    assertThat(isRegName("a%2fb")).isTrue();
    assertThat(isRegName("%E3")).isTrue();
    assertThat(isRegName("a%")).isFalse();
    assertThat(isRegName("a%2")).isFalse();
    assertThat(isRegName("a%2g")).isFalse();
  }

  @Test
  void percentEncodingDoesNotReachPastItsEnd() {
    ByteBuffer bytes = ByteBuffer.wrap(latin1("a%2f"));

    assertThat(Ascii.isRegName(bytes, 0, 3)).isFalse();
  }

  @Test
  void userInfoMayHoldColonsAndRegNameMayNot() {
    ByteBuffer bytes = ByteBuffer.wrap(latin1("user:pass"));

    assertThat(Ascii.isUserInfo(bytes, 0, 9)).isTrue();
    assertThat(Ascii.isRegName(bytes, 0, 9)).isFalse();
  }

  @Test
  void comparesWithoutCaseForLettersOnly() {
    byte[] expected = latin1("host");

    assertThat(Ascii.equalsIgnoringCase(ByteBuffer.wrap(latin1("HoSt")), 0, 4, expected)).isTrue();
    assertThat(Ascii.equalsIgnoringCase(ByteBuffer.wrap(latin1("hos\u0014")), 0, 4, expected))
        .isFalse();
    assertThat(Ascii.equalsIgnoringCase(ByteBuffer.wrap(latin1("host2")), 0, 5, expected))
        .isFalse();
  }

  @Test
  void startsWithStopsAtTheEnd() {
    ByteBuffer bytes = ByteBuffer.wrap(latin1("abc"));

    assertThat(Ascii.startsWith(bytes, 0, 3, latin1("abc"))).isTrue();
    assertThat(Ascii.startsWith(bytes, 0, 2, latin1("abc"))).isFalse();
    assertThat(Ascii.equals(bytes, 0, 3, latin1("ab"))).isFalse();
  }

  @Test
  void visibleIsAllButControlsAndSpace() {
    for (int b = 0; b < 256; b++) {
      assertThat(Ascii.isVisible((byte) b)).as("byte %d", b).isEqualTo(b > 32 && b != 127);
    }
  }

  @Test
  void fieldNamesMayHoldRoundAndSquareBracketsAndBytesAbove127() {
    for (int b = 0; b < 256; b++) {
      boolean odd = "()[]".indexOf(b) >= 0 || b >= 0x80;
      assertThat(isFieldName((char) b + "x"))
          .as("byte %d", b)
          .isEqualTo(odd || Ascii.isTokenChar((byte) b));
      assertThat(isFieldName("HO" + (char) b + "ST"))
          .as("byte %d in HOST", b)
          .isEqualTo(Ascii.isTokenChar((byte) b));
      assertThat(isFieldName("" + (char) b)).isEqualTo(Ascii.isTokenChar((byte) b));
    }
    assertThat(isFieldName("host")).isTrue();
    assertThat(isFieldName("(hos)")).isTrue();
    assertThat(isFieldName("(hosts)")).isTrue();
    assertThat(isFieldName("")).isFalse();
  }

  private static boolean isFieldName(String text) {
    return Ascii.isFieldName(ByteBuffer.wrap(latin1(text)), 0, text.length());
  }

  private static boolean isRegName(String text) {
    return Ascii.isRegName(ByteBuffer.wrap(latin1(text)), 0, text.length());
  }

  private static void assertClass(IntPredicate predicate, String members) {
    for (int b = 0; b < 256; b++) {
      assertThat(predicate.test(b)).as("byte %d", b).isEqualTo(members.indexOf(b) >= 0);
    }
  }
}
