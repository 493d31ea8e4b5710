package dev.peekpass.proxy.probe;

/** What a probe has found. */
sealed interface Answer {
  /** The receiver does its work. */
  record Good() implements Answer {}

  /** It does not, or cannot be asked. */
  record Bad(String why) implements Answer {}

  /** Its socket acknowledges: it says by itself how it is. */
  record NotNeeded() implements Answer {}
}
