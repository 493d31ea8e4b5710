package dev.peekpass.simulation;

/** An error out of a call, such as one of the virtual machine. */
public final class InjectedError extends Error {
  private static final long serialVersionUID = 1;

  InjectedError(Call call, boolean after) {
    super("injected " + (after ? "after " : "before ") + call);
  }
}
