package dev.peekpass.proxy.route;

/**
 * What became of a text that a person wrote.
 *
 * @param <T> what the text stands for
 */
public sealed interface Reading<T> {

  /**
   * The text is well-formed.
   *
   * @param value what it stands for
   */
  record Good<T>(T value) implements Reading<T> {}

  /**
   * The text is not well-formed.
   *
   * @param problem one phrase: what is wrong, naming the text
   * @param remedy one phrase: what to write instead
   */
  record Bad<T>(String problem, String remedy) implements Reading<T> {}
}
