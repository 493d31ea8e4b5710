package dev.peekpass.proxy.admin;

import dev.peekpass.fuzz.Draw;
import dev.peekpass.fuzz.Promise;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The lines of a conversation: the same in whatever pieces they come. */
final class Lines {
  private static final int MOST_PIECE_BYTES = 32;

  /** Stands behind the last line when the next one is too long. */
  static final String TOO_LONG = "\0too long";

  private Lines() {}

  /** The lines of an input, cut in two ways, which must give the same. */
  static List<String> of(byte[] input, int maxBytes, Draw draw) {
    List<String> whole = read(input, maxBytes, Math.max(1, input.length));
    List<String> pieces = read(input, maxBytes, 1 + draw.below(MOST_PIECE_BYTES));
    if (!whole.equals(pieces)) {
      throw Promise.broken("in pieces: " + pieces + ", whole: " + whole);
    }
    return whole;
  }

  private static List<String> read(byte[] input, int maxBytes, int piece) {
    LineBuffer buffer = new LineBuffer();
    List<String> lines = new ArrayList<>();
    int bytes = 0;
    try {
      for (int at = 0; at < input.length; at += piece) {
        int length = Math.min(piece, input.length - at);
        buffer.add(ByteBuffer.wrap(input, at, length).slice(), length);
        for (String line = buffer.next(maxBytes); line != null; line = buffer.next(maxBytes)) {
          lines.add(line);
          bytes++;
        }
      }
    } catch (LineBuffer.TooLongException e) {
      lines.add(TOO_LONG);
      return lines;
    }
    Promise.keep(bytes <= input.length, "more lines than line ends");
    Promise.keep(
        buffer.isEmpty() == (input.length == 0 || input[input.length - 1] == '\n'),
        "what is in no line is forgotten or made up");
    return lines;
  }
}
