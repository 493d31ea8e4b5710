package dev.peekpass.fuzz;

/** How many steps the counting copies of the parsers have made ({@link StepCounter}). */
public final class Steps {
  /** Written by their code; for one thread. */
  public static long count;

  private Steps() {}
}
