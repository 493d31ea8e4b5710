package dev.peekpass.fuzz;

import dev.peekpass.wire.FirstFlightParser;

/** The first bytes of a connection, whatever it speaks. */
public final class FirstFlightTarget {
  private static final HeadCheck CHECK = new HeadCheck(FirstFlightParser::new, Earlier.ALL);

  private FirstFlightTarget() {}

  /** Takes one input. */
  public static void fuzzerTestOneInput(byte[] input) {
    CHECK.check(input);
  }
}
