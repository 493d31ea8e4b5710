package dev.peekpass.fuzz;

import dev.peekpass.wire.Http1Parser;

/** The first bytes of an HTTP/1 connection. */
public final class Http1HeadTarget {
  private static final HeadCheck CHECK = new HeadCheck(Http1Parser::new, Earlier.HTTP1);

  private Http1HeadTarget() {}

  /** Takes one input. */
  public static void fuzzerTestOneInput(byte[] input) {
    CHECK.check(input);
  }
}
