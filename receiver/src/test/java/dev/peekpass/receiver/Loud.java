package dev.peekpass.receiver;

import org.junit.jupiter.api.Assumptions;

/** Skips a test where it cannot run, so that nobody overlooks it. */
public final class Loud {
  private Loud() {}

  public static void assume(boolean possible, String why) {
    if (!possible) {
      System.err.println("SKIPPED: " + why);
    }
    Assumptions.assumeTrue(possible, why);
  }
}
