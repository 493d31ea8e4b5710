package dev.peekpass.wire;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;

/**
 * IP addresses as text. Every byte is judged as soon as it is read: a prefix is refused unless some
 * valid address begins with it.
 */
final class AddressText {
  /** More bytes must come. */
  static final int INCOMPLETE = -1;

  /** No valid address begins like this. */
  static final int INVALID = -2;

  private static final int GROUPS = 8;

  private AddressText() {}

  /**
   * Reads an address that a space ends. IPv4 is four decimal numbers without heading zeroes; IPv6
   * is any form of RFC 4291 section 2.2, with a dotted tail too, because that is how inet_ntop(3)
   * writes IPv4-mapped addresses.
   *
   * @param bytes what to read
   * @param from the address's first byte
   * @param to the offset after the last byte that is here
   * @param address takes the bytes of the address: 4 for IPv4, 16 for IPv6
   * @return the offset after the space, {@link #INCOMPLETE} or {@link #INVALID}
   */
  static int read(ByteBuffer bytes, int from, int to, byte[] address) {
    return address.length == 4
        ? readDotted(bytes, from, to, address, 0)
        : readGroups(bytes, from, to, address);
  }

  private static int readDotted(ByteBuffer bytes, int from, int to, byte[] into, int offset) {
    int number = -1;
    int numbers = 0;
    for (int at = from; at < to; at++) {
      int c = bytes.get(at);
      if (c >= '0' && c <= '9') {
        // A number that is 0 must end: heading zeroes could be taken for octal.
        number = number == 0 ? 256 : Math.max(number, 0) * 10 + c - '0';
        if (number > 255) {
          return INVALID;
        }
      } else {
        if (number < 0 || c != (numbers == 3 ? ' ' : '.')) {
          return INVALID;
        }
        into[offset + numbers++] = (byte) number;
        number = -1;
        if (numbers == 4) {
          return at + 1;
        }
      }
    }
    return INCOMPLETE;
  }

  private static int readGroups(ByteBuffer bytes, int from, int to, byte[] address) {
    int groups = 0; // complete ones, already in address
    int gapAt = -1; // the group before which "::" stands
    int value = -1; // the group being read, -1 before its first digit
    int digits = 0;
    for (int at = from; at < to; at++) {
      int c = bytes.get(at);
      int digit = c < 0 ? -1 : Character.digit(c, 16);
      if (digit >= 0) {
        // With a gap, which stands for one group at least, an eighth group has no room.
        if (++digits > 4 || groups == (gapAt < 0 ? GROUPS : GROUPS - 1)) {
          return INVALID;
        }
        value = Math.max(value, 0) << 4 | digit;
      } else if (c == ':') {
        if (value >= 0) {
          put(address, groups++, value);
          value = -1;
          digits = 0;
          if (groups == (gapAt < 0 ? GROUPS : GROUPS - 1)) {
            return INVALID;
          }
        } else if (at == from) {
          // A first colon must be one of two.
          if (at + 1 == to) {
            return INCOMPLETE;
          }
          if (bytes.get(at + 1) != ':') {
            return INVALID;
          }
        } else if (gapAt < 0 && bytes.get(at - 1) == ':') {
          gapAt = groups;
        } else {
          return INVALID;
        }
      } else if (c == '.' && value >= 0 && groups <= (gapAt < 0 ? 6 : 5)) {
        if (gapAt < 0 && groups != 6) {
          return INVALID;
        }
        int end = readDotted(bytes, at - digits, to, address, 2 * groups);
        if (end >= 0) {
          spread(address, groups + 2, gapAt);
        }
        return end;
      } else if (c == ' ' && (value >= 0 || gapAt == groups)) {
        if (value >= 0) {
          put(address, groups++, value);
        }
        if (gapAt < 0 && groups != GROUPS) {
          return INVALID;
        }
        spread(address, groups, gapAt);
        return at + 1;
      } else {
        return INVALID;
      }
    }
    return INCOMPLETE;
  }

  private static void put(byte[] address, int group, int value) {
    address[2 * group] = (byte) (value >> 8);
    address[2 * group + 1] = (byte) value;
  }

  /** Moves the groups after the gap to the end and fills the gap with zeroes. */
  private static void spread(byte[] address, int groups, int gapAt) {
    if (gapAt < 0) {
      return;
    }
    int moved = 2 * (groups - gapAt);
    System.arraycopy(address, 2 * gapAt, address, address.length - moved, moved);
    for (int i = 2 * gapAt; i < address.length - moved; i++) {
      address[i] = 0;
    }
  }

  /**
   * An address without a name.
   *
   * @param bytes 4 of IPv4, or 16 of IPv6, which stay IPv6 even if they are IPv4-mapped
   */
  static InetAddress address(byte[] bytes) {
    try {
      return bytes.length == 4
          ? InetAddress.getByAddress(bytes)
          : Inet6Address.getByAddress(null, bytes, -1);
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException("an address has 4 or 16 bytes, not " + bytes.length, e);
    }
  }

  /**
   * An address as text: IPv6 in lower case, the first of the longest runs of two or more zero
   * groups as "::" (RFC 5952 section 4), IPv4-mapped ones with a dotted tail (section 5).
   *
   * @param bytes 4 of IPv4 or 16 of IPv6
   */
  static String text(byte[] bytes) {
    StringBuilder text = new StringBuilder(45);
    if (bytes.length == 4) {
      return dotted(text, bytes, 0);
    }
    int gapAt = -1;
    int gapGroups = 1;
    for (int from = 0; from < GROUPS; from++) {
      int to = from;
      while (to < GROUPS && group(bytes, to) == 0) {
        to++;
      }
      if (to - from > gapGroups) {
        gapAt = from;
        gapGroups = to - from;
      }
    }
    for (int i = 0; i < GROUPS; i++) {
      if (i == gapAt) {
        text.append("::");
        i += gapGroups - 1;
      } else if (i == 6 && gapAt == 0 && gapGroups == 5 && group(bytes, 5) == 0xffff) {
        return dotted(text.append(':'), bytes, 12);
      } else {
        if (i > 0 && text.charAt(text.length() - 1) != ':') {
          text.append(':');
        }
        text.append(Integer.toHexString(group(bytes, i)));
      }
    }
    return text.toString();
  }

  private static int group(byte[] bytes, int group) {
    return (bytes[2 * group] & 0xff) << 8 | (bytes[2 * group + 1] & 0xff);
  }

  private static String dotted(StringBuilder text, byte[] bytes, int from) {
    for (int i = from; i < from + 4; i++) {
      text.append(i > from ? "." : "").append(bytes[i] & 0xff);
    }
    return text.toString();
  }
}
