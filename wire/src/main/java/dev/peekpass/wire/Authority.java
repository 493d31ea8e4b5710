package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * {@code uri-host [ ":" port ]}: the value of Host (RFC 9110 section 7.2), an authority-form target
 * (RFC 9112 section 3.2.3), and an authority without its userinfo (RFC 3986 section 3.2). Reused;
 * holds offsets only, so it outlives the buffer that it was read from.
 */
final class Authority {
  /** What is wrong with an authority. */
  enum Fault {
    /** Nothing is. */
    NONE,
    /** It has no host. */
    EMPTY,
    /** Its host is no IP-literal, IPv4address or reg-name (RFC 3986 section 3.2.2). */
    HOST,
    /** Its port is not made of digits or is over 65535 (RFC 3986 section 3.2.3). */
    PORT
  }

  private static final int MAX_PORT = 65535;

  private int from;
  private int length;
  private int port;

  Authority() {
    clear();
  }

  /** Forgets what was read. */
  void clear() {
    from = 0;
    length = 0;
    port = -1;
  }

  /** Whether nothing valid has been read since {@link #clear()}. */
  boolean isEmpty() {
    return length == 0;
  }

  /** The host's first byte; an IP-literal begins with its bracket. */
  int from() {
    return from;
  }

  /** The host's length in bytes, brackets included. */
  int length() {
    return length;
  }

  /** 0 to 65535, or -1 when there is no port or an empty one. */
  int port() {
    return port;
  }

  /**
   * Whether another one names the same host: no case, no trailing dot, whatever the ports.
   *
   * @param bytes where both stand; neither is empty
   */
  boolean namesSameHost(ByteBuffer bytes, Authority other) {
    int undotted = undotted(bytes);
    if (undotted != other.undotted(bytes)) {
      return false;
    }
    for (int i = 0; i < undotted; i++) {
      if (lower(bytes.get(from + i)) != lower(bytes.get(other.from + i))) {
        return false;
      }
    }
    return true;
  }

  private int undotted(ByteBuffer bytes) {
    return bytes.get(from + length - 1) == '.' ? length - 1 : length;
  }

  private static int lower(byte b) {
    return Ascii.isAlpha(b) ? b | 0x20 : b;
  }

  /** Reads what fills {@code start} to {@code end}. Keeps nothing unless all of it is valid. */
  Fault parse(ByteBuffer bytes, int start, int end) {
    clear();
    int hostEnd;
    if (start < end && bytes.get(start) == '[') {
      int bracket = Ascii.indexOf(bytes, start, end, ']');
      if (bracket == end || !IpLiteral.isValid(bytes, start + 1, bracket)) {
        return Fault.HOST;
      }
      hostEnd = bracket + 1;
      if (hostEnd < end && bytes.get(hostEnd) != ':') {
        return Fault.HOST;
      }
    } else {
      hostEnd = Ascii.indexOf(bytes, start, end, ':');
      // An IPv4address is a reg-name too: RFC 3986 section 3.2.2 tells them apart for dialling
      // only.
      if (!Ascii.isRegName(bytes, start, hostEnd)) {
        return Fault.HOST;
      }
    }
    if (hostEnd == start) {
      return Fault.EMPTY;
    }
    int number = -1;
    for (int at = hostEnd + 1; at < end; at++) {
      byte b = bytes.get(at);
      if (!Ascii.isDigit(b)) {
        return Fault.PORT;
      }
      number = 10 * Math.max(number, 0) + b - '0';
      if (number > MAX_PORT) {
        return Fault.PORT;
      }
    }
    from = start;
    length = hostEnd - start;
    port = number;
    return Fault.NONE;
  }
}
