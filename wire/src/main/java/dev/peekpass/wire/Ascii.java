package dev.peekpass.wire;

import java.nio.ByteBuffer;

/** The character classes that HTTP and URI grammars are made of, one table look-up each. */
final class Ascii {
  private static final int TCHAR = 1;
  private static final int REG_NAME = 2;
  private static final int SCHEME = 4;
  private static final int HEX = 8;
  private static final int ALPHA = 16;
  private static final int ODD_NAME = 32;

  private static final byte[] CLASSES = new byte[256];
  private static final byte[] HOST = {'h', 'o', 's', 't'};

  static {
    for (char c = 'a'; c <= 'z'; c++) {
      mark(c, TCHAR | REG_NAME | SCHEME | ALPHA);
      mark((char) (c - 'a' + 'A'), TCHAR | REG_NAME | SCHEME | ALPHA);
    }
    for (char c = '0'; c <= '9'; c++) {
      mark(c, TCHAR | REG_NAME | SCHEME | HEX);
    }
    markAll("abcdefABCDEF", HEX);
    markAll("!#$%&'*+-.^_`|~", TCHAR);
    markAll("-._~!$&'()*+,;=", REG_NAME);
    markAll("+-.", SCHEME);
    markAll("()[]", ODD_NAME);
    for (char c = 0x80; c <= 0xff; c++) {
      mark(c, ODD_NAME);
    }
  }

  private Ascii() {}

  private static void markAll(String characters, int bits) {
    for (int i = 0; i < characters.length(); i++) {
      mark(characters.charAt(i), bits);
    }
  }

  private static void mark(char c, int bits) {
    CLASSES[c] |= (byte) bits;
  }

  private static boolean is(byte b, int bit) {
    return (CLASSES[b & 0xff] & bit) != 0;
  }

  /** tchar, what methods and field names are made of (RFC 9110 section 5.6.2). */
  static boolean isTokenChar(byte b) {
    return is(b, TCHAR);
  }

  /**
   * What stands in the names of fields that real clients send though no token holds it, {@code
   * (request-target)}, {@code X-Data[0]} and UTF-8, and that nginx passes over.
   */
  static boolean isOddNameChar(byte b) {
    return is(b, ODD_NAME);
  }

  /** Neither a control character nor a space; bytes from 0x80 on count as visible. */
  static boolean isVisible(byte b) {
    return b < 0 || (b > ' ' && b < 0x7f);
  }

  /** unreserved or sub-delims (RFC 3986 sections 2.2 and 2.3). */
  static boolean isRegNameChar(byte b) {
    return is(b, REG_NAME);
  }

  /** A character of a URI scheme but its first (RFC 3986 section 3.1). */
  static boolean isSchemeChar(byte b) {
    return is(b, SCHEME);
  }

  /** HEXDIG in either case (RFC 3986 section 2.1). */
  static boolean isHexDigit(byte b) {
    return is(b, HEX);
  }

  /** ALPHA (RFC 5234 appendix B.1). */
  static boolean isAlpha(byte b) {
    return is(b, ALPHA);
  }

  /** DIGIT (RFC 5234 appendix B.1). */
  static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  /** OWS is made of these two (RFC 9110 section 5.6.3). */
  static boolean isBlank(byte b) {
    return b == ' ' || b == '\t';
  }

  /**
   * Whether {@code from} to {@code to} is a reg-name (RFC 3986 section 3.2.2): unreserved,
   * sub-delims and percent-encoded octets.
   */
  static boolean isRegName(ByteBuffer bytes, int from, int to) {
    return isEncoded(bytes, from, to, false);
  }

  /** Whether {@code from} to {@code to} is a userinfo (RFC 3986 section 3.2.1). */
  static boolean isUserInfo(ByteBuffer bytes, int from, int to) {
    return isEncoded(bytes, from, to, true);
  }

  private static boolean isEncoded(ByteBuffer bytes, int from, int to, boolean colons) {
    int at = from;
    while (at < to) {
      byte b = bytes.get(at);
      if (isRegNameChar(b) || (colons && b == ':')) {
        at++;
      } else if (b == '%'
          && to - at > 2
          && isHexDigit(bytes.get(at + 1))
          && isHexDigit(bytes.get(at + 2))) {
        at += 3;
      } else {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether {@code from} to {@code to} is the name of a field that may be passed over: a token, or
   * one with {@linkplain #isOddNameChar odd characters} in it. Not when the token characters alone
   * spell {@code host}: a reader that drops the others would have a second host.
   */
  static boolean isFieldName(ByteBuffer bytes, int from, int to) {
    int tokens = 0;
    boolean odd = false;
    boolean host = true;
    for (int at = from; at < to; at++) {
      byte b = bytes.get(at);
      if (isTokenChar(b)) {
        host &= tokens < HOST.length && (b | 0x20) == HOST[tokens];
        tokens++;
      } else if (isOddNameChar(b)) {
        odd = true;
      } else {
        return false;
      }
    }
    return tokens > 0 && !(odd && host && tokens == HOST.length);
  }

  /** The offset of the first {@code wanted} in {@code from} to {@code to}, or {@code to}. */
  static int indexOf(ByteBuffer bytes, int from, int to, char wanted) {
    int at = from;
    while (at < to && bytes.get(at) != wanted) {
      at++;
    }
    return at;
  }

  /** Whether {@code text} stands at {@code from} and ends by {@code to}. */
  static boolean startsWith(ByteBuffer bytes, int from, int to, byte[] text) {
    if (to - from < text.length) {
      return false;
    }
    for (int i = 0; i < text.length; i++) {
      if (bytes.get(from + i) != text[i]) {
        return false;
      }
    }
    return true;
  }

  /** Whether {@code from} to {@code to} is exactly {@code text}. */
  static boolean equals(ByteBuffer bytes, int from, int to, byte[] text) {
    return to - from == text.length && startsWith(bytes, from, to, text);
  }

  /** Whether {@code from} to {@code to} is {@code lowerCase}, whatever its letters' case. */
  static boolean equalsIgnoringCase(ByteBuffer bytes, int from, int to, byte[] lowerCase) {
    if (to - from != lowerCase.length) {
      return false;
    }
    for (int i = 0; i < lowerCase.length; i++) {
      byte b = bytes.get(from + i);
      if ((isAlpha(b) ? (b | 0x20) : b) != lowerCase[i]) {
        return false;
      }
    }
    return true;
  }
}
