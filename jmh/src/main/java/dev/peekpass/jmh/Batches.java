package dev.peekpass.jmh;

/** How operations of some nanoseconds are measured. */
final class Batches {
  /**
   * How many make a sample: enough to hide the reading of the clock, some 25 ns, and few enough to
   * fit between two interruptions on a busy machine.
   */
  static final int OPERATIONS = 500;

  private Batches() {}
}
