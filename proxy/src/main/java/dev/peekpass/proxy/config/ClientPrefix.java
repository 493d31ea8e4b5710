package dev.peekpass.proxy.config;

/**
 * Which addresses count as one client: those whose first bits are equal.
 *
 * @param ipv4Bits of an IPv4 address, also one that an IPv6 socket shows in its mapped form; 1 to
 *     32
 * @param ipv6Bits of any other address, 1 to 128
 */
public record ClientPrefix(int ipv4Bits, int ipv6Bits) {
  /** A host, where it has one address; a network of 64 bits, where it changes its own. */
  public static final ClientPrefix STANDARD = new ClientPrefix(32, 64);

  /** The upper 64 bits of the client that an address belongs to. */
  public long high(long high, long low) {
    return isIpv4(high, low) || ipv6Bits >= 64 ? high : high & -1L << (64 - ipv6Bits);
  }

  /** The lower 64 bits of the client that an address belongs to. */
  public long low(long high, long low) {
    if (isIpv4(high, low)) {
      return low & -1L << (32 - ipv4Bits);
    }
    return ipv6Bits <= 64 ? 0 : low & -1L << (128 - ipv6Bits);
  }

  private static boolean isIpv4(long high, long low) {
    return high == 0 && low >>> 32 == 0xffff;
  }
}
