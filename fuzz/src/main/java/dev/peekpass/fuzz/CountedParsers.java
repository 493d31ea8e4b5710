package dev.peekpass.fuzz;

import dev.peekpass.wire.ClientHelloParser;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.HeadParser;
import dev.peekpass.wire.Http1Parser;
import dev.peekpass.wire.Http2Parser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.ProxyHeaderParser;
import java.nio.ByteBuffer;
import java.util.function.ToLongBiFunction;

/** Feeds counting parsers; {@link StepCounter} loads it beside them. */
public final class CountedParsers implements ToLongBiFunction<byte[], Integer> {
  private static final int LIMIT_BYTES = 16 * 1024;

  private final ParserScratch scratch = new ParserScratch(LIMIT_BYTES);
  private final HeadParser[] parsers = {
    new ClientHelloParser(scratch),
    new Http1Parser(scratch),
    new Http2Parser(scratch),
    new FirstFlightParser(scratch)
  };
  private final ProxyHeaderParser proxy = new ProxyHeaderParser(LIMIT_BYTES);

  /** Parsers at the first byte of a connection. */
  public CountedParsers() {}

  /**
   * Feeds a parser with an input, some bytes more at each call.
   *
   * @param input its first byte chooses the parser
   * @param piece how many, at least 1
   * @return how many steps that took
   */
  @Override
  public long applyAsLong(byte[] input, Integer piece) {
    int chosen = (input[0] & 0xff) % (parsers.length + 1);
    ByteBuffer bytes = ByteBuffer.wrap(input, 1, input.length - 1).slice();
    int length = bytes.limit();
    Steps.count = 0;
    if (chosen == parsers.length) {
      proxy.reset();
    } else {
      parsers[chosen].reset();
    }
    int seen = 0;
    while (true) {
      Parsed<?> said =
          chosen == parsers.length ? proxy.parse(bytes, seen) : parsers[chosen].parse(bytes, seen);
      if (seen == length || !(said instanceof Parsed.Incomplete<?>)) {
        return Steps.count;
      }
      seen = Math.min(length, seen + piece);
    }
  }
}
