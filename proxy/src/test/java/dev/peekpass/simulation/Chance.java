package dev.peekpass.simulation;

/** Random numbers that a seed determines: SplitMix64. */
public final class Chance {
  private long state;

  /** Begins at a seed; neighbouring seeds have nothing in common. */
  public Chance(long seed) {
    state = seed;
  }

  private long next() {
    state += 0x9e3779b97f4a7c15L;
    long z = state;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }

  /** From 0 to {@code bound - 1}. */
  public int below(int bound) {
    return (int) Long.remainderUnsigned(next(), bound);
  }

  /** From {@code least} to {@code most}. */
  public int between(int least, int most) {
    return least + below(most - least + 1);
  }

  /** From 0 to {@code bound - 1}. */
  public long below(long bound) {
    return Long.remainderUnsigned(next(), bound);
  }

  /** True so many times in ten thousand. */
  public boolean hits(int inTenThousand) {
    return inTenThousand > 0 && below(10_000) < inTenThousand;
  }

  /** One of these. */
  @SafeVarargs
  public final <T> T of(T... choices) {
    return choices[below(choices.length)];
  }

  /** One of these. */
  public int ofInts(int... choices) {
    return choices[below(choices.length)];
  }
}
