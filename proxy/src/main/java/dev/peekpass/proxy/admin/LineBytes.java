package dev.peekpass.proxy.admin;

/**
 * How long a line over the admin socket may be at most, without its end: by who says it. The other
 * side gives up whoever says a longer one.
 */
final class LineBytes {
  /** A request. */
  static final int REQUEST = 256;

  /** The answer to one: a status of ten thousand backends has some two million bytes. */
  static final int ANSWER = 64 << 20;

  /** What an old process says in a takeover: a word and a name, an address or a path. */
  static final int OF_OLD = 4096;

  /** How much of its reason a new process says, in characters. */
  static final int REFUSAL_CHARS = 400;

  private static final int CHARACTER = 4;

  /** What a new process says in a takeover: a reason is the longest. */
  static final int OF_NEW = CHARACTER * REFUSAL_CHARS;

  private LineBytes() {}
}
