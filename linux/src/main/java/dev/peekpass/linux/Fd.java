package dev.peekpass.linux;

/**
 * A file descriptor's number, as a type of its own. A value: it says nothing of whether the
 * descriptor is open, nor of who owns it; the code that holds it says so.
 */
public final class Fd {
  /** Numbers below this have one shared instance each, so that naming a descriptor is free. */
  private static final int SHARED = 1 << 16;

  private static final Fd[] CACHE = new Fd[SHARED];

  private final int number;

  private Fd(int number) {
    this.number = number;
  }

  /**
   * Names a descriptor.
   *
   * @param number what a system call returned, 0 or more
   */
  public static Fd of(int number) {
    if (number >= SHARED) {
      return new Fd(number);
    }
    // A race only makes a second equal instance: the field is final.
    Fd fd = CACHE[number];
    if (fd == null) {
      fd = new Fd(number);
      CACHE[number] = fd;
    }
    return fd;
  }

  /** The number that the kernel knows it by. */
  public int number() {
    return number;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Fd fd && fd.number == number;
  }

  @Override
  public int hashCode() {
    return number;
  }

  @Override
  public String toString() {
    return "fd " + number;
  }
}
