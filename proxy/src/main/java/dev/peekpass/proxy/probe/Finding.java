package dev.peekpass.proxy.probe;

/** What a probe has found. */
sealed interface Finding {
  /** The receiver does its work. */
  record Good() implements Finding {}

  /** It does not, or cannot be asked. */
  record Bad(String why) implements Finding {}

  /** Its socket acknowledges: it says by itself how it is. */
  record NotNeeded() implements Finding {}
}
