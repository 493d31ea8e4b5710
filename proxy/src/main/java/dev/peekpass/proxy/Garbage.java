package dev.peekpass.proxy;

/**
 * Collects what reloads leave behind. The serial collector, which the proxy ships with, would
 * rather let the heap grow to its limit, a quarter of the machine, than look at the old generation;
 * and nothing but reloads puts anything there.
 *
 * <p>A collection stops the loops for as long as it takes to go through what is alive: some
 * milliseconds, and some tens with a million routes. So it comes when there is much to gain.
 */
final class Garbage {
  /** How much more than what is alive is let be, at least. */
  private static final long BEARABLE_BYTES = 32L << 20;

  /** What the start has left counts as alive until it is known better. */
  private long collectAtBytes = bearable(used());

  /** Collects if it is worth it. Called by one thread at a time. */
  void afterReload() {
    if (used() >= collectAtBytes) {
      System.gc();
      collectAtBytes = bearable(used());
    }
  }

  private static long bearable(long alive) {
    return alive + Math.max(alive, BEARABLE_BYTES);
  }

  private static long used() {
    Runtime runtime = Runtime.getRuntime();
    return runtime.totalMemory() - runtime.freeMemory();
  }
}
