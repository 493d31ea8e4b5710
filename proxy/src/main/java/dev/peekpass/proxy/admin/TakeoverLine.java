package dev.peekpass.proxy.admin;

import java.io.IOException;

/**
 * What the two processes of a takeover say to each other, a line each ({@link TakeoverOffer} has
 * the conversation). Pure.
 *
 * @param word what it is
 * @param rest what stands behind the word and a space; empty when nothing does
 */
record TakeoverLine(Word word, String rest) {
  /** What the old process offers. */
  enum Word {
    SOCKET,
    ADMIN,
    DRAINED,
    END,
    OTHER
  }

  /** Reads a line of the old process, whatever is in it. */
  static TakeoverLine ofOld(String line) {
    int space = line.indexOf(' ');
    String first = space < 0 ? line : line.substring(0, space);
    Word word =
        switch (first) {
          case "socket" -> Word.SOCKET;
          case "admin" -> Word.ADMIN;
          case "drained" -> Word.DRAINED;
          case "end" -> Word.END;
          default -> Word.OTHER;
        };
    return new TakeoverLine(word, space < 0 ? "" : line.substring(space + 1));
  }

  /** What the new process says to an offer. */
  sealed interface Answer {
    /**
     * One of the sockets is not wanted.
     *
     * @param index which, by its place
     */
    record Unwanted(int index) implements Answer {}

    /**
     * It can go on.
     *
     * @param admin with the admin socket, too
     */
    record Ready(boolean admin) implements Answer {}

    /**
     * It ends.
     *
     * @param why for people
     */
    record Refused(String why) implements Answer {}
  }

  /**
   * Reads a line of the new process.
   *
   * @param size how many sockets it was offered
   * @throws IOException when the line is in no protocol
   */
  static Answer ofNew(String line, int size) throws IOException {
    if (line.equals("ready") || line.equals("ready admin")) {
      return new Answer.Ready(line.equals("ready admin"));
    }
    if (line.startsWith(TakeoverOffer.REFUSED)) {
      return new Answer.Refused(
          TakeoverRefusal.shown(line.substring(TakeoverOffer.REFUSED.length())));
    }
    String number = line.startsWith("unwanted ") ? line.substring("unwanted ".length()) : "";
    if (number.matches("\\d{1,6}") && Integer.parseInt(number) < size) {
      return new Answer.Unwanted(Integer.parseInt(number));
    }
    throw new IOException("it says something that is not in the protocol");
  }
}
