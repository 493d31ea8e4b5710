package dev.peekpass.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** Reads lines of bytes from a stream, each of bounded length, without making strings of them. */
final class FlightLines {
  /** No line, because the stream has ended. */
  static final int END = -1;

  /** The line is longer than the limit; it has been passed over. */
  static final int TOO_LONG = -2;

  private final InputStream in;
  private final int limitBytes;
  private final byte[] block = new byte[1 << 16];
  private int at;
  private int end;
  private byte[] line = new byte[1 << 12];

  /**
   * Reads from a stream, which the caller closes.
   *
   * @param limitBytes the longest line to give out
   */
  FlightLines(InputStream in, int limitBytes) {
    this.in = in;
    this.limitBytes = limitBytes;
  }

  /**
   * Reads the next line into {@link #line()}; LF or CR LF ends it, and the end of the stream.
   *
   * @return its length in bytes without the line's end, or {@link #END}, or {@link #TOO_LONG}
   */
  int next() throws IOException {
    int length = 0;
    boolean tooLong = false;
    boolean any = false;
    while (at < end || fill()) {
      any = true;
      int stop = at;
      while (stop < end && block[stop] != '\n') {
        stop++;
      }
      int count = stop - at;
      tooLong |= count > limitBytes - length;
      if (!tooLong) {
        append(length, count);
        length += count;
      }
      at = stop;
      if (at < end) {
        at++;
        break;
      }
    }
    if (tooLong) {
      return TOO_LONG;
    }
    if (length > 0 && line[length - 1] == '\r') {
      length--;
    }
    return any ? length : END;
  }

  /** The bytes that the last {@link #next()} read, from offset 0; overwritten by the next one. */
  byte[] line() {
    return line;
  }

  private void append(int length, int count) {
    if (length + count > line.length) {
      line = Arrays.copyOf(line, Math.max(2 * line.length, length + count));
    }
    System.arraycopy(block, at, line, length, count);
  }

  private boolean fill() throws IOException {
    at = 0;
    end = Math.max(0, in.read(block));
    return end > 0;
  }
}
