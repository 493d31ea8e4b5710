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

  /**
   * Reads the new process's {@code unwanted INDEX}.
   *
   * @param size how many sockets it was offered
   * @return which it does not want, 0 to {@code size - 1}
   * @throws IOException when the line is another
   */
  static int unwanted(String line, int size) throws IOException {
    String number = line.startsWith("unwanted ") ? line.substring("unwanted ".length()) : "";
    if (number.matches("\\d{1,6}") && Integer.parseInt(number) < size) {
      return Integer.parseInt(number);
    }
    throw new IOException("it says something that is not in the protocol");
  }
}
