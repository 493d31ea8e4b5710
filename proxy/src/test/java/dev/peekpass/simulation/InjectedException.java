package dev.peekpass.simulation;

/** What a fault in the process under test, or beneath it, throws out of a call. */
public final class InjectedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  InjectedException(Call call, boolean after) {
    super("injected " + (after ? "after " : "before ") + call);
  }
}
