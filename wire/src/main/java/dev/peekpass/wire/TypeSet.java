package dev.peekpass.wire;

/**
 * The type codes seen so far in one list: finds repetitions at constant cost, allocating nothing.
 */
final class TypeSet {
  private final long[] words;
  // One bit for each word in use, so that clearing touches only those.
  private final long[] dirty;

  /**
   * An empty set.
   *
   * @param codes how many codes there are, from 0 on; 1 to 65,536
   */
  TypeSet(int codes) {
    words = new long[(codes + 63) >>> 6];
    dirty = new long[(words.length + 63) >>> 6];
  }

  /**
   * Adds a code.
   *
   * @param code 0 to {@code codes - 1}
   * @return whether it was not in the set
   */
  boolean add(int code) {
    int word = code >>> 6;
    long bit = 1L << code;
    if ((words[word] & bit) != 0) {
      return false;
    }
    words[word] |= bit;
    dirty[word >>> 6] |= 1L << word;
    return true;
  }

  /** Empties the set. */
  void clear() {
    for (int i = 0; i < dirty.length; i++) {
      for (long rest = dirty[i]; rest != 0; rest &= rest - 1) {
        words[(i << 6) + Long.numberOfTrailingZeros(rest)] = 0;
      }
      dirty[i] = 0;
    }
  }
}
