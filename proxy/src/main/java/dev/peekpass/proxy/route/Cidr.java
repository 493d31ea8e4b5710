package dev.peekpass.proxy.route;

import java.util.Optional;

/**
 * A block of addresses (RFC 4632). IPv4 blocks are kept in their mapped form, so {@code 10.0.0.0/8}
 * and {@code ::ffff:10.0.0.0/104} are equal, and {@code ::/0} holds every IPv4 address too.
 *
 * @param network the first address of the block
 * @param prefixBits how many leading bits of 128 are fixed, 0 to 128
 */
public record Cidr(IpAddress network, int prefixBits) {
  private static final int MAPPED_BITS = 96;

  /** Checks that the block begins at its network address. */
  public Cidr {
    if (prefixBits < 0 || prefixBits > 128) {
      throw new IllegalArgumentException("prefixBits must be 0 to 128, is " + prefixBits);
    }
    if ((network.high() & ~highMask(prefixBits)) != 0
        || (network.low() & ~lowMask(prefixBits)) != 0) {
      throw new IllegalArgumentException(network + " has bits behind its prefix of " + prefixBits);
    }
  }

  /** Reads {@code ADDRESS/BITS}, or an address alone, which is a block of one. */
  public static Reading<Cidr> parse(String text) {
    int slash = text.indexOf('/');
    String addressText = slash < 0 ? text : text.substring(0, slash);
    Optional<IpAddress> address = IpAddress.parse(addressText);
    if (address.isEmpty()) {
      return new Reading.Bad<>(
          Quotation.of(text) + " is not an address block",
          "write an IPv4 or IPv6 address, or a block like 192.0.2.0/24 or 2001:db8::/32");
    }
    boolean ipv4 = addressText.indexOf(':') < 0;
    int widest = ipv4 ? 32 : 128;
    int bits = slash < 0 ? widest : bits(text.substring(slash + 1));
    if (bits < 0 || bits > widest) {
      return new Reading.Bad<>(
          Quotation.of(text) + " has no valid prefix length",
          "write a number from 0 to " + widest + " behind the slash");
    }
    int prefixBits = ipv4 ? bits + MAPPED_BITS : bits;
    IpAddress network =
        new IpAddress(
            address.get().high() & highMask(prefixBits), address.get().low() & lowMask(prefixBits));
    if (!network.equals(address.get())) {
      // A v6 block above the mapped range's prefix would print as v4; show it as it was written.
      return new Reading.Bad<>(
          Quotation.of(text) + " has bits set behind its prefix", "write " + network + "/" + bits);
    }
    return new Reading.Good<>(new Cidr(network, prefixBits));
  }

  private static int bits(String text) {
    if (text.isEmpty() || text.length() > 3 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return -1;
    }
    return Integer.parseInt(text);
  }

  /** The last address of the block. */
  public IpAddress last() {
    return new IpAddress(
        network.high() | ~highMask(prefixBits), network.low() | ~lowMask(prefixBits));
  }

  /**
   * Whether an address is in the block.
   *
   * @param high its first 64 bits; an IPv4 address in its mapped form
   * @param low its last 64 bits
   */
  public boolean contains(long high, long low) {
    return (high & highMask(prefixBits)) == network.high()
        && (low & lowMask(prefixBits)) == network.low();
  }

  private static long highMask(int bits) {
    return bits == 0 ? 0 : bits >= 64 ? -1 : -1L << (64 - bits);
  }

  private static long lowMask(int bits) {
    return bits <= 64 ? 0 : -1L << (128 - bits);
  }

  /** {@code ADDRESS/BITS}, with an IPv4 block in IPv4's own bits. */
  @Override
  public String toString() {
    boolean ipv4 = network.isIpv4() && prefixBits >= MAPPED_BITS;
    return network + "/" + (ipv4 ? prefixBits - MAPPED_BITS : prefixBits);
  }
}
