package dev.peekpass.proxy.admin;

import dev.peekpass.fuzz.Draw;
import dev.peekpass.fuzz.Promise;
import java.io.IOException;
import java.util.List;
import java.util.Locale;

/** What the two processes of a takeover say: every line is understood in one way, or refused. */
public final class TakeoverTarget {
  private static final int MOST_SOCKETS = 1 << 20;

  private static final Draw DRAW = new Draw();

  private TakeoverTarget() {}

  /** Takes one input: all that comes over a connection, taken for either process's words. */
  public static void fuzzerTestOneInput(byte[] input) {
    DRAW.from(input);
    List<String> lines = Lines.of(input, LineBytes.OF_OLD, DRAW);
    if (lines.isEmpty()) {
      return;
    }
    // One of them, so that an input of many is no dearer.
    String line = lines.get(DRAW.below(lines.size()));
    TakeoverLine said = TakeoverLine.ofOld(line);
    if (said.word() != TakeoverLine.Word.OTHER) {
      String word = said.word().name().toLowerCase(Locale.ROOT);
      Promise.keep(
          line.equals(word) || line.equals(word + " " + said.rest()),
          "a line that is not read as it was written");
    }
    if (line.startsWith("unwanted") || DRAW.oneIn(16)) {
      unwanted(line);
    }
  }

  private static void unwanted(String line) {
    int size = DRAW.below(DRAW.oneIn(2) ? 4 : MOST_SOCKETS);
    try {
      int index = TakeoverLine.unwanted(line, size);
      Promise.keep(index >= 0 && index < size, "a socket that was not offered");
    } catch (IOException e) {
      Promise.keep(
          size == 0 || !line.equals("unwanted " + (size - 1)) || size > 1_000_000,
          "a good line is refused");
    }
  }
}
