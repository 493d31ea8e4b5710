package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length are
 * consecutive numbers in the order of their symbols, and longer codes follow shorter ones. So the
 * lengths say everything.
 */
final class HpackHuffman {
  /** What {@link #decode} returns for bits that are no Huffman string. */
  static final int CORRUPT = -1;

  /** What {@link #decode} returns when the output does not fit. */
  static final int TOO_LARGE = -2;

  private static final int EOS = 256;
  private static final int MIN_BITS = 5;
  private static final int MAX_BITS = 30;
  private static final int FAST_BITS = 8;
  private static final int MASK = (1 << MAX_BITS) - 1;

  /** Length in bits of each symbol's code, EOS last. */
  private static final byte[] LENGTHS = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
    30
  };

  /** All symbols in the order of their codes. */
  private static final short[] SYMBOLS = new short[EOS + 1];

  /** By length: what to add to a code for its place in {@link #SYMBOLS}. */
  private static final int[] PLACES = new int[MAX_BITS + 1];

  /** By length: one past the last code of that length, moved left to {@link #MAX_BITS} bits. */
  private static final int[] LIMITS = new int[MAX_BITS + 1];

  /** By the first {@link #FAST_BITS} bits: the length of a code that is no longer, or 0. */
  private static final byte[] FAST = new byte[1 << FAST_BITS];

  static {
    int code = 0;
    int place = 0;
    for (int bits = MIN_BITS; bits <= MAX_BITS; bits++) {
      PLACES[bits] = place - code;
      for (short symbol = 0; symbol <= EOS; symbol++) {
        if (LENGTHS[symbol] == bits) {
          SYMBOLS[place++] = symbol;
          code++;
        }
      }
      LIMITS[bits] = code << (MAX_BITS - bits);
      code <<= 1;
    }
    for (int prefix = 0; prefix < FAST.length; prefix++) {
      int bits = lengthByLimits(prefix << (MAX_BITS - FAST_BITS));
      FAST[prefix] = bits <= FAST_BITS ? (byte) bits : 0;
    }
  }

  private HpackHuffman() {}

  private static int lengthByLimits(int window) {
    int bits = MIN_BITS;
    while (window >= LIMITS[bits]) {
      bits++;
    }
    return bits;
  }

  /**
   * Decodes a string (RFC 7541 section 5.2).
   *
   * @param from its first byte in {@code bytes}
   * @param to one past its last byte
   * @param out where the symbols go
   * @param outFrom the first of them
   * @return how many symbols were written, {@link #CORRUPT} or {@link #TOO_LARGE}
   */
  static int decode(ByteBuffer bytes, int from, int to, byte[] out, int outFrom) {
    long held = 0;
    int heldBits = 0;
    int at = from;
    int outAt = outFrom;
    while (true) {
      while (heldBits <= MAX_BITS && at < to) {
        held = held << 8 | (bytes.get(at++) & 0xff);
        heldBits += 8;
      }
      int window =
          heldBits >= MAX_BITS
              ? (int) (held >>> (heldBits - MAX_BITS)) & MASK
              : (int) (held << (MAX_BITS - heldBits) | MASK >>> heldBits) & MASK;
      int bits = FAST[window >>> (MAX_BITS - FAST_BITS)];
      if (bits == 0) {
        bits = lengthByLimits(window);
      }
      if (bits > heldBits) {
        // What is left must be padding: fewer than 8 bits, all ones, which is how EOS begins.
        long ones = (1L << heldBits) - 1;
        return heldBits < 8 && (held & ones) == ones ? outAt - outFrom : CORRUPT;
      }
      heldBits -= bits;
      int symbol = SYMBOLS[PLACES[bits] + (window >>> (MAX_BITS - bits))];
      if (symbol == EOS) {
        return CORRUPT;
      }
      if (outAt == out.length) {
        return TOO_LARGE;
      }
      out[outAt++] = (byte) symbol;
    }
  }
}
