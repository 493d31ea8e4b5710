package dev.peekpass.fuzz;

import dev.peekpass.wire.Http2Parser;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The first bytes of an HTTP/2 connection, HPACK in them. Three inputs in four are what follows the
 * client preface, so that executions are not spent on 24 bytes that never change.
 */
public final class Http2HeadTarget {
  private static final HeadCheck CHECK = new HeadCheck(Http2Parser::new, Earlier.HTTP2);
  private static final byte[] PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);

  private Http2HeadTarget() {}

  /** Takes one input: a byte that says what is put before the others, and those. */
  public static void fuzzerTestOneInput(byte[] input) {
    CHECK.check(flight(input));
  }

  /** The connection's bytes that an input stands for. */
  static byte[] flight(byte[] input) {
    if (input.length == 0) {
      return input;
    }
    int from = (input[0] & 3) == 0 ? 0 : PREFACE.length;
    byte[] flight = Arrays.copyOf(PREFACE, from + input.length - 1);
    System.arraycopy(input, 1, flight, from, input.length - 1);
    return flight;
  }
}
