package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;

/**
 * A keyed hash of a host name, read from its last byte to its first, so that one pass over a name
 * gives the hash of every suffix that begins at a label.
 *
 * <p>It is a polynomial over the prime 2^61 - 1 whose variable is a secret of each table, and whose
 * coefficients are blocks of up to seven bytes of one label with the dot behind it. Two names of at
 * most n blocks collide for at most n of the 2^61 secrets, so nobody who can choose names can
 * choose ones that collide. A block is added when it is full or its label ends.
 */
final class HostHash {
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

  /** The value after one more block. */
  long add(long value, long block) {
    long high = Math.multiplyHigh(value, secret);
    long low = value * secret;
    long sum = (low & PRIME) + (low >>> 61 | high << 3) + block;
    return (sum & PRIME) + (sum >>> 61);
  }

  /** The value of a whole name, the same as adding its blocks label by label. */
  long of(HostName host) {
    long value = start();
    long block = 0;
    for (int i = host.length() - 1; i >= 0; i--) {
      byte b = host.at(i);
      if (b == '.' || isFull(block)) {
        value = add(value, block);
        block = 0;
      }
      block = block << 8 | (b & 0xff);
    }
    return block == 0 ? value : add(value, block);
  }

  /** The value of no block at all. */
  static long start() {
    return 1;
  }

  /** Whether no further byte fits into a block; no byte of a valid name is zero. */
  static boolean isFull(long block) {
    return block >>> 48 != 0;
  }

  /**
   * The hash to look up.
   *
   * @param value after the last block
   * @param wildcard whether the name stands behind {@code *.}
   */
  static long finish(long value, boolean wildcard) {
    long spread = (wildcard ? ~value : value) * SPREAD;
    return spread ^ spread >>> 32;
  }
}
