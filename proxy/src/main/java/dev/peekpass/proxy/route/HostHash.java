package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;
import java.security.SecureRandom;

/**
 * A keyed hash of a host name, read from its last byte to its first, so that one pass over a name
 * gives the hash of every suffix of it.
 *
 * <p>It is a polynomial over the prime 2^61 - 1 whose variable is a secret of each table, and whose
 * coefficients are blocks of seven bytes, counted from the name's end; the last block has what is
 * left. Two names of at most n blocks collide for at most n of the 2^61 secrets, so nobody who can
 * choose names, those in the table or those that are looked up, can choose ones that collide; but
 * for zeros in front, which no name in a table has.
 *
 * <p>Whatever else is made of blocks can be hashed with it too, always of as many.
 */
public final class HostHash {
  /** How many bytes of a name make a block. */
  static final int BLOCK_BYTES = 7;

  private static final long BLOCK = (1L << (8 * BLOCK_BYTES)) - 1;
  private static final long PRIME = (1L << 61) - 1;
  // Odd, from the golden ratio: spreads neighbouring values over the high bits.
  private static final long SPREAD = 0x9e37_79b9_7f4a_7c15L;

  private final long secret;

  /**
   * Takes the secret.
   *
   * @param random any bits; those that fit are used
   */
  HostHash(long random) {
    long reduced = random & PRIME;
    this.secret = reduced < 2 || reduced == PRIME ? 2 : reduced;
  }

  /** One with a secret that nobody knows. */
  public static HostHash random() {
    return new HostHash(new SecureRandom().nextLong());
  }

  /**
   * The value after one more block.
   *
   * @param block 56 bits at most
   */
  public long add(long value, long block) {
    long high = Math.multiplyHigh(value, secret);
    long low = value * secret;
    long sum = (low & PRIME) + (low >>> 61 | high << 3) + block;
    return (sum & PRIME) + (sum >>> 61);
  }

  /** The value of a whole name. */
  long of(HostName host) {
    long value = start();
    for (int end = host.length(); end > 0; end -= BLOCK_BYTES) {
      value = add(value, block(host, end));
    }
    return value;
  }

  /** The value of no block at all. */
  public static long start() {
    return 1;
  }

  /** The block that ends before an offset; with zeros in front where the name begins in it. */
  static long block(HostName host, int end) {
    return host.wordBefore(end) & BLOCK;
  }

  /** The last bytes of a block. */
  static long end(long block, int bytes) {
    return block & ((1L << (8 * bytes)) - 1);
  }

  /** The highest bit of every byte of a block that is a dot. */
  static long dots(long block) {
    long different = block ^ 0x2e_2e2e_2e2e_2e2eL;
    long low = 0x7f_7f7f_7f7f_7f7fL;
    return ~((different & low) + low | different | low) & BLOCK;
  }

  /**
   * The hash to look up.
   *
   * @param value after the last block
   * @param wildcard whether the name stands behind {@code *.}
   */
  public static long finish(long value, boolean wildcard) {
    long spread = (wildcard ? ~value : value) * SPREAD;
    return spread ^ spread >>> 32;
  }
}
