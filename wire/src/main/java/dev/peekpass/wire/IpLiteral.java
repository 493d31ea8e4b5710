package dev.peekpass.wire;

import java.nio.ByteBuffer;

/** The part between the brackets of an IP-literal (RFC 3986 section 3.2.2). */
final class IpLiteral {
  private static final int GROUPS = 8;

  private IpLiteral() {}

  /** Whether {@code from} to {@code to} is an IPv6address or an IPvFuture. No zone identifier. */
  static boolean isValid(ByteBuffer bytes, int from, int to) {
    if (from < to && (bytes.get(from) | 0x20) == 'v') {
      return isFuture(bytes, from + 1, to);
    }
    return isIpv6(bytes, from, to);
  }

  private static boolean isFuture(ByteBuffer bytes, int from, int to) {
    int dot = from;
    while (dot < to && Ascii.isHexDigit(bytes.get(dot))) {
      dot++;
    }
    if (dot == from || dot >= to - 1 || bytes.get(dot) != '.') {
      return false;
    }
    for (int at = dot + 1; at < to; at++) {
      if (!Ascii.isRegNameChar(bytes.get(at)) && bytes.get(at) != ':') {
        return false;
      }
    }
    return true;
  }

  private static boolean isIpv6(ByteBuffer bytes, int from, int to) {
    int groups = 0;
    boolean gap = false;
    int at = from;
    if (startsWithGap(bytes, at, to)) {
      gap = true;
      at += 2;
    }
    while (at < to) {
      int digits = hexDigits(bytes, at, to);
      if (at + digits < to && bytes.get(at + digits) == '.') {
        groups += 2;
        return isIpv4(bytes, at, to) && isComplete(groups, gap);
      }
      if (digits == 0 || digits > 4) {
        return false;
      }
      groups++;
      at += digits;
      if (at == to) {
        break;
      }
      if (startsWithGap(bytes, at, to)) {
        if (gap) {
          return false;
        }
        gap = true;
        at += 2;
      } else if (bytes.get(at) == ':' && at + 1 < to) {
        at++;
      } else {
        return false;
      }
    }
    return isComplete(groups, gap);
  }

  private static boolean isComplete(int groups, boolean gap) {
    return gap ? groups < GROUPS : groups == GROUPS;
  }

  private static boolean startsWithGap(ByteBuffer bytes, int at, int to) {
    return to - at >= 2 && bytes.get(at) == ':' && bytes.get(at + 1) == ':';
  }

  private static int hexDigits(ByteBuffer bytes, int from, int to) {
    int at = from;
    while (at < to && Ascii.isHexDigit(bytes.get(at))) {
      at++;
    }
    return at - from;
  }

  /** Dotted decimal, each octet 0 to 255 without a leading zero. */
  private static boolean isIpv4(ByteBuffer bytes, int from, int to) {
    int at = from;
    for (int octet = 0; octet < 4; octet++) {
      int start = at;
      int value = 0;
      while (at < to && at - start < 3 && Ascii.isDigit(bytes.get(at))) {
        value = 10 * value + bytes.get(at) - '0';
        at++;
      }
      int digits = at - start;
      if (digits == 0 || value > 255 || (digits > 1 && bytes.get(start) == '0')) {
        return false;
      }
      if (octet < 3) {
        if (at == to || bytes.get(at) != '.') {
          return false;
        }
        at++;
      }
    }
    return at == to;
  }
}
