package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;

/**
 * A canonical host name as characters, without a copy, that lets one match read only so many of
 * them. Some expressions take time exponential in a name's length, and the client chooses the name.
 */
final class HostChars implements CharSequence {
  /** How many characters one expression may read of one name. */
  static final int MAX_STEPS = 20_000;

  private HostName host = new HostName();
  private int stepsLeft;

  /** Begins a match. */
  void set(HostName name) {
    host = name;
    stepsLeft = MAX_STEPS;
  }

  @Override
  public int length() {
    return host.length();
  }

  @Override
  public char charAt(int index) {
    if (--stepsLeft < 0) {
      throw new TooManySteps();
    }
    return (char) (host.at(index) & 0xff);
  }

  @Override
  public CharSequence subSequence(int start, int end) {
    return toString().substring(start, end);
  }

  @Override
  public String toString() {
    return host.toString();
  }

  /** Ends a match that takes too long. Without a stack trace it costs next to nothing. */
  static final class TooManySteps extends RuntimeException {
    private static final long serialVersionUID = 1;

    TooManySteps() {
      super("too many steps", null, false, false);
    }
  }
}
