package dev.peekpass.proxy.turn;

/**
 * Whether several of something come at once, as they lately did: then a call that looks for more
 * spares other calls for each it finds. One that finds none is a call for nothing.
 *
 * <p>A look is worth it while it spares at least as many calls as it is, on average, the last looks
 * counting most. Else there is one now and then, to notice when that changes.
 */
public final class Burst {
  /** At most so many chances in a row go by without a look. */
  public static final int MOST_SKIPPED = 15;

  /** The average counts the last look for a quarter, the one before it for three sixteenths, … */
  private static final int WEIGHT_SHIFT = 2;

  /** The average's unit is a 64th, so that it can fall below two. */
  private static final int UNIT = 64;

  private int average = 2 * UNIT;
  private int skipped;

  /**
   * Whether to look now; {@link #saw} must follow when it says so.
   *
   * @param spared how many calls each spares that a look finds beyond the first
   */
  public boolean isWorthLooking(int spared) {
    if ((average - UNIT) * spared >= UNIT || skipped >= MOST_SKIPPED) {
      skipped = 0;
      return true;
    }
    skipped++;
    return false;
  }

  /**
   * A look has been taken.
   *
   * @param count how many there were, with the one that was known of without it
   */
  public void saw(int count) {
    average += (count * UNIT - average) >> WEIGHT_SHIFT;
  }
}
