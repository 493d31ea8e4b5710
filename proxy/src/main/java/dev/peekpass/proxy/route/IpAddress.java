package dev.peekpass.proxy.route;

import java.util.Optional;

/**
 * An IP address as 128 bits. An IPv4 address is the IPv4-mapped one, {@code ::ffff:a.b.c.d} (RFC
 * 4291 section 2.5.5.2), so that a client looks the same whether a dual-stack or an IPv4 listener
 * accepted it.
 *
 * @param high the first 64 bits, in network order
 * @param low the last 64 bits
 */
public record IpAddress(long high, long low) {
  private static final long MAPPED_PREFIX = 0xffffL << 32;

  /**
   * An IPv4 address.
   *
   * @param bits the four bytes, the first one on top
   */
  public static IpAddress ofIpv4(int bits) {
    return new IpAddress(0, MAPPED_PREFIX | (bits & 0xffff_ffffL));
  }

  /**
   * Reads an address: dotted quad without leading zeros, or any text form of RFC 4291 section 2.2.
   * No brackets, no zone, no prefix length, and never a name: nothing is resolved.
   *
   * @return empty if {@code text} is not an address
   */
  public static Optional<IpAddress> parse(String text) {
    if (text.indexOf(':') < 0) {
      long bits = quad(text);
      return bits < 0 ? Optional.empty() : Optional.of(ofIpv4((int) bits));
    }
    return parseIpv6(text);
  }

  /** Whether this is an IPv4 address, in its mapped form. */
  public boolean isIpv4() {
    return high == 0 && low >>> 32 == 0xffff;
  }

  /** Whether this is {@code ::}, which binds every address. */
  public boolean isIpv6Any() {
    return high == 0 && low == 0;
  }

  /** Whether this is {@code 0.0.0.0}, which binds every IPv4 address. */
  public boolean isIpv4Any() {
    return low == MAPPED_PREFIX && high == 0;
  }

  private static Optional<IpAddress> parseIpv6(String text) {
    if (text.length() > 45) {
      return Optional.empty();
    }
    int gap = text.indexOf("::");
    if (gap < 0) {
      int[] words = words(text);
      return words.length == 8 ? Optional.of(join(words, new int[0])) : Optional.empty();
    }
    String before = text.substring(0, gap);
    String after = text.substring(gap + 2);
    int[] head = before.isEmpty() ? new int[0] : words(before);
    int[] tail = after.isEmpty() ? new int[0] : words(after);
    // words() gives one impossible word for a malformed text.
    if (malformed(head) || malformed(tail) || before.indexOf('.') >= 0) {
      return Optional.empty();
    }
    // "::" stands for at least one group of zeros (RFC 4291 section 2.2).
    return head.length + tail.length <= 7 ? Optional.of(join(head, tail)) : Optional.empty();
  }

  private static boolean malformed(int[] words) {
    return words.length == 1 && words[0] < 0;
  }

  private static IpAddress join(int[] head, int[] tail) {
    long[] halves = new long[2];
    for (int i = 0; i < head.length; i++) {
      halves[i / 4] |= (long) head[i] << (48 - 16 * (i % 4));
    }
    for (int i = 0; i < tail.length; i++) {
      int at = 8 - tail.length + i;
      halves[at / 4] |= (long) tail[i] << (48 - 16 * (at % 4));
    }
    return new IpAddress(halves[0], halves[1]);
  }

  /** The 16-bit groups of a text without a gap, or one of -1 when it is malformed. */
  private static int[] words(String text) {
    int[] bad = {-1};
    String[] parts = text.split(":", -1);
    boolean quad = parts[parts.length - 1].indexOf('.') >= 0;
    int[] words = new int[parts.length + (quad ? 1 : 0)];
    if (words.length > 8) {
      return bad;
    }
    int plain = quad ? parts.length - 1 : parts.length;
    for (int i = 0; i < plain; i++) {
      words[i] = group(parts[i]);
      if (words[i] < 0) {
        return bad;
      }
    }
    if (quad) {
      long bits = quad(parts[plain]);
      if (bits < 0) {
        return bad;
      }
      words[plain] = (int) (bits >>> 16);
      words[plain + 1] = (int) (bits & 0xffff);
    }
    return words;
  }

  private static int group(String text) {
    if (text.isEmpty() || text.length() > 4) {
      return -1;
    }
    int value = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      int digit = c < 128 ? Character.digit(c, 16) : -1;
      if (digit < 0) {
        return -1;
      }
      value = value << 4 | digit;
    }
    return value;
  }

  /** A dotted quad as 32 bits, or -1. A leading zero is refused: some read it as octal. */
  private static long quad(String text) {
    long bits = 0;
    int parts = 0;
    int at = 0;
    while (parts < 4) {
      int value = 0;
      int start = at;
      while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
        value = value * 10 + text.charAt(at++) - '0';
        if (value > 255) {
          return -1;
        }
      }
      boolean leadingZero = at - start > 1 && text.charAt(start) == '0';
      if (at == start || leadingZero) {
        return -1;
      }
      bits = bits << 8 | value;
      parts++;
      if (parts < 4 && (at >= text.length() || text.charAt(at++) != '.')) {
        return -1;
      }
    }
    return at == text.length() ? bits : -1;
  }

  /** The usual text: a dotted quad for IPv4, else as RFC 5952 section 4 says. */
  @Override
  public String toString() {
    if (isIpv4()) {
      return (low >>> 24 & 0xff)
          + "."
          + (low >>> 16 & 0xff)
          + "."
          + (low >>> 8 & 0xff)
          + "."
          + (low & 0xff);
    }
    int gapStart = -1;
    int gapLength = 1;
    for (int i = 0; i < 8; i++) {
      int run = 0;
      while (i + run < 8 && word(i + run) == 0) {
        run++;
      }
      if (run > gapLength) {
        gapStart = i;
        gapLength = run;
      }
    }
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 8; i++) {
      if (i == gapStart) {
        text.append("::");
        i += gapLength - 1;
      } else {
        if (!text.isEmpty() && text.charAt(text.length() - 1) != ':') {
          text.append(':');
        }
        text.append(Integer.toHexString(word(i)));
      }
    }
    return text.toString();
  }

  private int word(int i) {
    return (int) ((i < 4 ? high : low) >>> (48 - 16 * (i % 4))) & 0xffff;
  }
}
