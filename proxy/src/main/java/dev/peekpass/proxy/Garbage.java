package dev.peekpass.proxy;

import java.util.function.LongSupplier;

/**
 * Collects what reloads and waves of clients leave behind. The serial collector, which the proxy
 * ships with, would rather let the heap grow to its limit, a quarter of the machine, than look at
 * the old generation. Reloads put something there, and clients do who come by the thousands, stay a
 * while and go at once: more of their places than are kept for others to come.
 *
 * <p>A collection stops the loops for as long as it takes to go through what is alive: some
 * milliseconds, and some tens with a million routes or tens of thousands of clients. So it comes
 * when there is much to gain.
 */
final class Garbage {
  /** How often it is worth looking, which is cheap; between two looks little can come together. */
  static final long PERIOD_NANOS = 1_000_000_000L;

  /** How much more than what is alive is let be, at least. */
  private static final long BEARABLE_BYTES = 32L << 20;

  private final LongSupplier used;
  private final Runnable collection;

  /** What the start has left counts as alive until it is known better. */
  private long collectAtBytes;

  /** Looks at this process's heap. */
  Garbage() {
    this(Garbage::used, System::gc);
  }

  /** Looks at any heap: how many bytes are used, and what makes them fewer. */
  Garbage(LongSupplier used, Runnable collection) {
    this.used = used;
    this.collection = collection;
    collectAtBytes = bearable(used.getAsLong());
  }

  /** Collects if it is worth it. Called by one thread at a time. */
  void collectIfMuch() {
    if (used.getAsLong() >= collectAtBytes) {
      collection.run();
      collectAtBytes = bearable(used.getAsLong());
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
