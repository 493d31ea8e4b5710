package dev.peekpass.wire;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A complete HTTP/1 request line (RFC 9112 section 3): {@code method SP request-target SP
 * HTTP-version}. More spaces between the three and behind them are let pass, as section 3 allows
 * and most servers do: they do not touch the host. Reused; holds no bytes.
 */
final class RequestLine {
  private static final Parsed.Foreign<Peeked> NOT_HTTP = new Parsed.Foreign<>();
  static final Parsed.Invalid<Peeked> SHAPE =
      invalid("request line is not method, target and version (RFC 9112 section 3)");
  static final Parsed.Invalid<Peeked> VERSION =
      invalid("HTTP version is not 1.x (RFC 9112 section 2.3)");
  static final Parsed.Invalid<Peeked> TARGET_CHARACTER =
      invalid("control character in the request target (RFC 9112 section 3.2)");
  static final Parsed.Invalid<Peeked> TARGET_FORM =
      invalid("request target has none of the four forms (RFC 9112 section 3.2)");
  static final Parsed.Invalid<Peeked> TARGET_AUTHORITY =
      invalid("authority of the request target is malformed (RFC 9110 section 4.2)");
  static final Parsed.Invalid<Peeked> CONNECT_TARGET =
      invalid("target of CONNECT is not host:port (RFC 9112 section 3.2.3)");

  private static final byte[] VERSION_MARK = " HTTP/".getBytes(US_ASCII);
  private static final byte[] CONNECT = "CONNECT".getBytes(US_ASCII);
  private static final byte[] SCHEME_END = "://".getBytes(US_ASCII);

  private final Authority authority = new Authority();
  private boolean hostRequired;

  private static Parsed.Invalid<Peeked> invalid(String reason) {
    return new Parsed.Invalid<>(reason);
  }

  /** Forgets the line. */
  void clear() {
    authority.clear();
    hostRequired = false;
  }

  /** The authority of an absolute-form or authority-form target; empty for the other forms. */
  Authority authority() {
    return authority;
  }

  /** Whether the version is one whose requests must have Host (RFC 9112 section 3.2). */
  boolean hostRequired() {
    return hostRequired;
  }

  /**
   * Reads the line.
   *
   * @param from the method's first byte; the method has been checked
   * @param methodEnd the offset of the space after it
   * @param to the end of the line, line terminator not included
   * @return what is wrong, or null
   */
  @Nullable Parsed<Peeked> parse(ByteBuffer bytes, int from, int methodEnd, int to) {
    clear();
    if (!namesHttp(bytes, methodEnd, to)) {
      // SSH, SMTP, RTSP and many more begin with a word and a space too, and HTTP/0.9 is no HTTP/1.
      return NOT_HTTP;
    }
    int target = skipSpaces(bytes, methodEnd, to);
    int targetEnd = Ascii.indexOf(bytes, target, to, ' ');
    int mark = skipSpaces(bytes, targetEnd, to) - 1;
    if (targetEnd == target || !Ascii.startsWith(bytes, mark, to, VERSION_MARK)) {
      return SHAPE;
    }
    int digits = mark + VERSION_MARK.length;
    int end = Ascii.indexOf(bytes, digits, to, ' ');
    if (skipSpaces(bytes, end, to) != to) {
      return SHAPE;
    }
    if (end - digits != 3
        || bytes.get(digits) != '1'
        || bytes.get(digits + 1) != '.'
        || !Ascii.isDigit(bytes.get(digits + 2))) {
      return VERSION;
    }
    // A higher minor version is read as the highest one known (RFC 9110 section 2.5).
    hostRequired = bytes.get(digits + 2) != '0';
    for (int at = target; at < targetEnd; at++) {
      byte b = bytes.get(at);
      if ((b >= 0 && b < ' ') || b == 0x7f) {
        return TARGET_CHARACTER;
      }
    }
    return Ascii.equals(bytes, from, methodEnd, CONNECT)
        ? authorityForm(bytes, target, targetEnd)
        : otherForm(bytes, target, targetEnd);
  }

  private static int skipSpaces(ByteBuffer bytes, int from, int to) {
    int at = from;
    while (at < to && bytes.get(at) == ' ') {
      at++;
    }
    return at;
  }

  private static boolean namesHttp(ByteBuffer bytes, int from, int to) {
    for (int at = from; at < to; at++) {
      if (bytes.get(at) == ' ' && Ascii.startsWith(bytes, at, to, VERSION_MARK)) {
        return true;
      }
    }
    return false;
  }

  private @Nullable Parsed<Peeked> authorityForm(ByteBuffer bytes, int from, int to) {
    if (authority.parse(bytes, from, to) != Authority.Fault.NONE || authority.port() < 0) {
      return CONNECT_TARGET;
    }
    return null;
  }

  private @Nullable Parsed<Peeked> otherForm(ByteBuffer bytes, int from, int to) {
    byte first = bytes.get(from);
    if (first == '/') {
      return null;
    }
    if (first == '*' && to - from == 1) {
      // Meant for OPTIONS (RFC 9112 section 3.2.4), also sent with M-SEARCH. It names no host.
      return null;
    }
    int schemeEnd = from;
    while (schemeEnd < to && Ascii.isSchemeChar(bytes.get(schemeEnd))) {
      schemeEnd++;
    }
    if (!Ascii.isAlpha(first) || !Ascii.startsWith(bytes, schemeEnd, to, SCHEME_END)) {
      return TARGET_FORM;
    }
    return absoluteForm(bytes, schemeEnd + SCHEME_END.length, to);
  }

  private @Nullable Parsed<Peeked> absoluteForm(ByteBuffer bytes, int from, int to) {
    int end = from;
    while (end < to && !endsAuthority(bytes.get(end))) {
      end++;
    }
    int at = Ascii.indexOf(bytes, from, end, '@');
    int host = at == end ? from : at + 1;
    // Userinfo is deprecated (RFC 9110 section 4.2.4). It is skipped, never taken for the host.
    if (!Ascii.isUserInfo(bytes, from, at == end ? from : at)
        || authority.parse(bytes, host, end) != Authority.Fault.NONE) {
      return TARGET_AUTHORITY;
    }
    return null;
  }

  /** RFC 3986 section 3.2. A fragment must not be sent, but some clients do. */
  private static boolean endsAuthority(byte b) {
    return b == '/' || b == '?' || b == '#';
  }
}
