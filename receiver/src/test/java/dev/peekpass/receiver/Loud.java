package dev.peekpass.receiver;

import org.junit.jupiter.api.Assumptions;

/** Skips a test where it cannot run, so that nobody overlooks it. */
final class Loud {
  private Loud() {}

  static void assume(boolean possible, String why) {
    if (!possible) {
      System.err.println("SKIPPED: " + why);
    }
    Assumptions.assumeTrue(possible, why);
  }
}
