package dev.peekpass.proxy.route;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The addresses of any number of blocks, as sorted ranges that do not overlap: a look-up is a
 * binary search, so that a country's 10,000 blocks cost as little as one.
 */
public final class CidrSet {
  private final List<Cidr> blocks;
  // Two longs a bound: high, low. Range i is firsts[2i..] to lasts[2i..], both included.
  private final long[] firsts;
  private final long[] lasts;

  /** Takes blocks in any order, also such as hold one another. */
  public CidrSet(List<Cidr> blocks) {
    this.blocks = List.copyOf(blocks);
    List<Cidr> ranges = outermost(this.blocks);
    firsts = new long[2 * ranges.size()];
    lasts = new long[2 * ranges.size()];
    for (int i = 0; i < ranges.size(); i++) {
      IpAddress last = ranges.get(i).last();
      firsts[2 * i] = ranges.get(i).network().high();
      firsts[2 * i + 1] = ranges.get(i).network().low();
      lasts[2 * i] = last.high();
      lasts[2 * i + 1] = last.low();
    }
  }

  /** Two blocks are disjoint or one holds the other, so dropping the inner ones is enough. */
  private static List<Cidr> outermost(List<Cidr> blocks) {
    List<Cidr> sorted = new ArrayList<>(blocks);
    sorted.sort(
        Comparator.<Cidr, IpAddress>comparing(
                Cidr::network, (a, b) -> compare(a.high(), a.low(), b.high(), b.low()))
            .thenComparingInt(Cidr::prefixBits));
    List<Cidr> kept = new ArrayList<>();
    for (Cidr block : sorted) {
      IpAddress network = block.network();
      if (kept.isEmpty() || !kept.getLast().contains(network.high(), network.low())) {
        kept.add(block);
      }
    }
    return kept;
  }

  private static int compare(long aHigh, long aLow, long bHigh, long bLow) {
    int high = Long.compareUnsigned(aHigh, bHigh);
    return high != 0 ? high : Long.compareUnsigned(aLow, bLow);
  }

  /** The blocks as written, in their order. */
  public List<Cidr> blocks() {
    return blocks;
  }

  /**
   * Whether an address is in one of the blocks.
   *
   * @param high its first 64 bits; an IPv4 address in its mapped form
   * @param low its last 64 bits
   */
  public boolean contains(long high, long low) {
    int from = 0;
    int to = firsts.length / 2;
    // The last range that does not begin behind the address.
    while (from < to) {
      int middle = (from + to) >>> 1;
      if (compare(firsts[2 * middle], firsts[2 * middle + 1], high, low) <= 0) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from > 0 && compare(high, low, lasts[2 * from - 2], lasts[2 * from - 1]) <= 0;
  }

  /** Whether the other has the same blocks in the same order. */
  @Override
  public boolean equals(Object other) {
    return other instanceof CidrSet that && blocks.equals(that.blocks);
  }

  @Override
  public int hashCode() {
    return blocks.hashCode();
  }
}
