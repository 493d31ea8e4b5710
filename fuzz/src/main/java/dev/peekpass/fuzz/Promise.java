package dev.peekpass.fuzz;

/** A promise that an input has shown to be broken. */
public final class Promise {
  /** What a target throws; Jazzer and the replay report it. */
  public static final class BrokenException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BrokenException(String what) {
      super(what);
    }
  }

  private Promise() {}

  /** Throws unless a promise is kept. */
  public static void keep(boolean kept, String promise) {
    if (!kept) {
      throw new BrokenException(promise);
    }
  }

  /** What to throw for a promise that is broken; for messages that are dear to make. */
  public static BrokenException broken(String what) {
    return new BrokenException(what);
  }
}
