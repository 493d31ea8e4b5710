package dev.peekpass.cli.stage;

import java.util.ArrayList;
import java.util.List;

/**
 * Words of a text in which options of the JVM are: parted by white space that is not in quotes, and
 * in an argument file (java(1)) from {@code #} to the end of the line nothing.
 */
final class OptionWords {
  private final String text;
  private final boolean argumentFile;
  private final List<String> words = new ArrayList<>();
  private final StringBuilder word = new StringBuilder();
  private boolean begun;

  private OptionWords(String text, boolean argumentFile) {
    this.text = text;
    this.argumentFile = argumentFile;
  }

  /** Those of a variable, or of a file for the JVM. */
  static List<String> of(String text) {
    return new OptionWords(text, false).all();
  }

  /** Those of an argument file, with comments and, in quotes, escapes. */
  static List<String> ofArgumentFile(String text) {
    return new OptionWords(text, true).all();
  }

  private List<String> all() {
    char quote = 0;
    for (int at = 0; at < text.length(); at++) {
      char c = text.charAt(at);
      if (quote == 0 && Character.isWhitespace(c)) {
        end();
      } else if (quote == 0 && c == '#' && argumentFile) {
        int line = text.indexOf('\n', at);
        end();
        at = line < 0 ? text.length() : line;
      } else if (c == quote) {
        quote = 0;
      } else if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
        begun = true;
      } else {
        boolean escaped = quote != 0 && c == '\\' && argumentFile && at + 1 < text.length();
        if (escaped) {
          at++;
        }
        word.append(text.charAt(at));
        begun = true;
      }
    }
    end();
    return words;
  }

  private void end() {
    if (begun) {
      words.add(word.toString());
    }
    word.setLength(0);
    begun = false;
  }
}
