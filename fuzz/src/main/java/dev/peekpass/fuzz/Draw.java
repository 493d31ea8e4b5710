package dev.peekpass.fuzz;

import java.util.Arrays;

/**
 * Numbers drawn from an input's own hash: where it is cut, which of the dear checks it gets. So
 * that one execution is cheap, and the same input always gets the same ones.
 */
public final class Draw {
  private long state;

  /** Draws nothing yet. */
  public Draw() {}

  /** Begins with an input. */
  public void from(byte[] input) {
    state = Arrays.hashCode(input) * 0x9e37_79b9_7f4a_7c15L + input.length;
  }

  /** The next number, 0 to {@code bound - 1}. */
  public int below(int bound) {
    // splitmix64.
    state += 0x9e37_79b9_7f4a_7c15L;
    long z = state;
    z = (z ^ (z >>> 30)) * 0xbf58_476d_1ce4_e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d0_49bb_1331_11ebL;
    return (int) (((z ^ (z >>> 31)) >>> 33) % bound);
  }

  /** True for one input in so many. */
  public boolean oneIn(int inputs) {
    return below(inputs) == 0;
  }
}
