package dev.peekpass.fuzz;

import dev.peekpass.wire.ClientHelloParser;

/** The first bytes of a TLS connection. */
public final class ClientHelloTarget {
  private static final HeadCheck CHECK = new HeadCheck(ClientHelloParser::new, Earlier.TLS);

  private ClientHelloTarget() {}

  /** Takes one input. */
  public static void fuzzerTestOneInput(byte[] input) {
    CHECK.check(input);
  }
}
