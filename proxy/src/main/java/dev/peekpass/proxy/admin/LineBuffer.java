package dev.peekpass.proxy.admin;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Cuts what comes over an admin socket into lines, whatever pieces it comes in. Pure; looks at each
 * byte once.
 */
final class LineBuffer {
  private static final int FIRST_BYTES = 4096;

  private byte[] bytes = new byte[FIRST_BYTES];

  /** The first byte that is in no line yet, the first that was not looked at, and the end. */
  private int from;

  private int at;
  private int end;

  /** A line is longer than it may be. */
  static final class TooLongException extends IOException {
    private static final long serialVersionUID = 1L;

    TooLongException(int maxBytes) {
      super("a line has over " + maxBytes + " bytes: write a shorter one");
    }
  }

  /** Adds the first bytes of a buffer, which are read absolutely. */
  void add(ByteBuffer source, int length) {
    if (length > bytes.length - end) {
      makeRoom(length);
    }
    source.get(0, bytes, end, length);
    end += length;
  }

  private void makeRoom(int length) {
    int held = end - from;
    // Twice as much as is held, so that what is moved was added since it was last moved.
    byte[] to =
        2L * held + length > bytes.length ? new byte[Math.addExact(2 * held, length)] : bytes;
    System.arraycopy(bytes, from, to, 0, held);
    bytes = to;
    at -= from;
    from = 0;
    end = held;
  }

  /**
   * The next line, without its end; null when it has not come as a whole.
   *
   * @param maxBytes how long it may be
   * @throws TooLongException when it is, or will be, longer, whatever has come of it
   */
  @Nullable String next(int maxBytes) throws TooLongException {
    while (at < end && bytes[at] != '\n') {
      at++;
    }
    if (at - from > maxBytes) {
      throw new TooLongException(maxBytes);
    }
    if (at == end) {
      return null;
    }
    String line = new String(bytes, from, at - from, StandardCharsets.UTF_8);
    at++;
    from = at;
    return line;
  }

  /** What was not given as a line yet, whole lines too; a character for a byte. */
  String rest() {
    return new String(bytes, from, end - from, StandardCharsets.ISO_8859_1);
  }

  /** Goes on with what another one had not given as a line ({@link #rest}). */
  void addRest(String rest) {
    byte[] added = rest.getBytes(StandardCharsets.ISO_8859_1);
    add(ByteBuffer.wrap(added), added.length);
  }

  /** Whether nothing is left that is in no line. */
  boolean isEmpty() {
    return from == end;
  }
}
