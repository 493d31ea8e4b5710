package dev.peekpass.proxy.config;

/**
 * Something in a configuration file that is wrong or, among warnings, probably not meant.
 *
 * @param file the file's name as given
 * @param line from 1
 * @param column in characters, from 1
 * @param message what is wrong
 * @param remedy what to write instead
 */
public record Mistake(String file, int line, int column, String message, String remedy) {

  /** {@code FILE:LINE:COLUMN: what is wrong, what to write instead}. */
  @Override
  public String toString() {
    return file + ":" + line + ":" + column + ": " + message + ", " + remedy;
  }
}
