package dev.peekpass.fuzz;

import java.util.function.ToLongBiFunction;

/**
 * The work of the resumable parsers, in steps ({@link StepCounter}): for bytes that come one by one
 * it grows no faster than their number, and a parser that goes on does not begin again.
 */
public final class LinearWorkTarget {
  /** Steps a byte that comes alone: the call that looks at it, and what the byte itself costs. */
  private static final long STEPS_A_BYTE = 160;

  /**
   * Steps whatever the bytes: a list of HPACK fields may be of 65,536 bytes though its block is
   * short, at least 32 a field, and the fields are looked at byte by byte.
   */
  private static final long STEPS_OF_A_LIST = 64 * 65_536L;

  private static final long STEPS_TO_BEGIN = 4096;

  /** Of PROXY version 1, at most 107 bytes are read again whenever one comes. */
  private static final long STEPS_OF_A_LINE = 107 * 107 * 16L;

  private static final int HTTP2 = 2;
  private static final int FIRST_FLIGHT = 3;
  private static final int PROXY = 4;
  private static final int PARSERS = 5;

  private static final Draw DRAW = new Draw();
  private static final ToLongBiFunction<byte[], Integer> PARSE = load();

  private LinearWorkTarget() {}

  @SuppressWarnings("unchecked") // CountedParsers is such a function.
  private static ToLongBiFunction<byte[], Integer> load() {
    String driver = "dev.peekpass.fuzz.CountedParsers";
    try {
      return (ToLongBiFunction<byte[], Integer>)
          new StepCounter(driver).loadClass(driver).getDeclaredConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Takes one input: a byte that chooses the parser, and the connection's. */
  public static void fuzzerTestOneInput(byte[] input) {
    if (input.length == 0) {
      return;
    }
    DRAW.from(input);
    int parser = (input[0] & 0xff) % PARSERS;
    long bytes = STEPS_TO_BEGIN + STEPS_A_BYTE * input.length;
    long whole = PARSE.applyAsLong(input, input.length);
    boolean lists = parser == HTTP2 || parser == FIRST_FLIGHT;
    expect(whole, bytes + (lists ? STEPS_OF_A_LIST : 0), input.length, input.length);
    int piece = DRAW.oneIn(4) ? 1 + DRAW.below(64) : 1;
    long steps = PARSE.applyAsLong(input, piece);
    expect(steps, whole + bytes + (parser == PROXY ? STEPS_OF_A_LINE : 0), input.length, piece);
  }

  private static void expect(long steps, long most, int length, int piece) {
    if (steps > most) {
      throw Promise.broken(
          "%d steps for %d bytes, %d at a time; at most %d are promised"
              .formatted(steps, length - 1, piece, most));
    }
  }
}
