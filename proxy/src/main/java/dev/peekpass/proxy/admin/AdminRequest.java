package dev.peekpass.proxy.admin;

/**
 * What is asked of a proxy over its admin socket: a line of a word and, for some, an argument.
 *
 * @param word what to do
 * @param argument without spaces around it; empty when there is none
 */
record AdminRequest(Word word, String argument) {
  /** What can be asked. */
  enum Word {
    STATUS,
    RELOAD,
    DRAIN,
    UNDRAIN,
    TAKEOVER,
    UNKNOWN
  }

  /** Reads a line, whatever is in it. */
  static AdminRequest of(String line) {
    String[] words = line.trim().split(" ", 2);
    Word word =
        switch (words[0]) {
          case "status" -> Word.STATUS;
          case "reload" -> Word.RELOAD;
          case "drain" -> Word.DRAIN;
          case "undrain" -> Word.UNDRAIN;
          case "takeover" -> Word.TAKEOVER;
          default -> Word.UNKNOWN;
        };
    return new AdminRequest(word, words.length == 2 ? words[1].trim() : "");
  }
}
