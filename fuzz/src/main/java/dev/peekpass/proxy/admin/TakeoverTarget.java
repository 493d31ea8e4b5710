package dev.peekpass.proxy.admin;

import dev.peekpass.fuzz.Draw;
import dev.peekpass.fuzz.Promise;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
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
    answer(line);
    if (said.word() == TakeoverLine.Word.OTHER) {
      shown(TakeoverRefusal.unexpected(line));
    }
    if (DRAW.oneIn(4)) {
      refuse(new String(input, StandardCharsets.UTF_8));
    }
    if (DRAW.oneIn(4)) {
      carry(input, lines);
    }
  }

  /** The line as the new process's. */
  private static void answer(String line) {
    int size = DRAW.below(DRAW.oneIn(2) ? 4 : MOST_SOCKETS);
    boolean good =
        line.equals("ready")
            || line.equals("ready admin")
            || line.startsWith("refused ")
            || (size > 0 && line.equals("unwanted " + (size - 1)) && size <= 1_000_000);
    try {
      switch (TakeoverLine.ofNew(line, size)) {
        case TakeoverLine.Answer.Ready(boolean admin) ->
            Promise.keep(
                line.equals(admin ? "ready admin" : "ready"), "a word that was not said: ready");
        case TakeoverLine.Answer.Refused(String why) -> {
          Promise.keep(line.startsWith("refused "), "a word that was not said: refused");
          Promise.keep(isPlain(why), "a reason that does not fit in a line of a log");
        }
        case TakeoverLine.Answer.Unwanted(int index) -> {
          Promise.keep(index >= 0 && index < size, "a socket that was not offered");
          Promise.keep(
              line.startsWith("unwanted ")
                  && Integer.parseInt(line.substring("unwanted ".length())) == index,
              "another socket than was said");
        }
      }
    } catch (IOException e) {
      Promise.keep(!good, "a good line is refused");
    }
  }

  /** What a message tells of a line is in a line, and not much longer than that. */
  private static void shown(IOException told) {
    String message = String.valueOf(told.getMessage());
    Promise.keep(isPlain(message), "a message that does not fit in a line of a log");
    Promise.keep(message.length() <= LineBytes.OF_NEW + 200, "a message that is too long");
  }

  private static boolean isPlain(String text) {
    return text.chars().noneMatch(Character::isISOControl);
  }

  /** What one process says when it ends, whatever the reason, the other one reads. */
  private static void refuse(String why) {
    String line = TakeoverRefusal.line(why);
    byte[] sent = (line + "\n").getBytes(StandardCharsets.UTF_8);
    LineBuffer there = new LineBuffer();
    there.add(ByteBuffer.wrap(sent), sent.length);
    try {
      String read = there.next(LineBytes.OF_NEW);
      Promise.keep(line.equals(read) && there.isEmpty(), "a refusal is not read as it was written");
      Promise.keep(
          TakeoverLine.ofNew(line, 0) instanceof TakeoverLine.Answer.Refused(String told)
              && line.equals("refused " + told),
          "a refusal is taken for another word");
    } catch (IOException e) {
      throw Promise.broken("a refusal is refused: " + e.getMessage());
    }
  }

  /** Between two lines another program of the process goes on: it reads what the first would. */
  private static void carry(byte[] input, List<String> lines) {
    int come = DRAW.below(input.length + 1);
    int taken = DRAW.below(lines.size() + 1);
    LineBuffer first = new LineBuffer();
    first.add(ByteBuffer.wrap(input), come);
    List<String> all = new ArrayList<>();
    try {
      for (String line = null; all.size() < taken; all.add(line)) {
        line = first.next(LineBytes.OF_NEW);
        if (line == null) {
          break;
        }
      }
      LineBuffer second = new LineBuffer();
      second.addRest(first.rest());
      second.add(ByteBuffer.wrap(input, come, input.length - come).slice(), input.length - come);
      for (String line = second.next(LineBytes.OF_NEW);
          line != null;
          line = second.next(LineBytes.OF_NEW)) {
        all.add(line);
      }
    } catch (LineBuffer.TooLongException e) {
      all.add(Lines.TOO_LONG);
    }
    Promise.keep(all.equals(lines), "a program that goes on reads otherwise");
  }
}
