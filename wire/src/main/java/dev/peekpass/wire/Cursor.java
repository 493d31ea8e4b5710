package dev.peekpass.wire;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A bounded reader over a range of bytes. It cannot read outside its range: a read that would sets
 * the sticky {@link #overrun()} instead, yields 0, and leaves the cursor empty, so that a parser
 * may read a whole structure and ask once whether all of it was there.
 *
 * <p>Instances are reused, so that parsing allocates nothing.
 */
final class Cursor {
  private ByteBuffer bytes = ByteBuffer.allocate(0);
  private int at;
  private int end;
  private boolean overrun;

  /**
   * Begins to read a range, forgetting the one before.
   *
   * @param source read absolutely; its position does not matter and is not moved
   * @param from the first byte's offset
   * @param to the offset after the last byte, at most {@code source.limit()}
   * @return this
   * @throws IndexOutOfBoundsException if the range is not inside {@code source}: a mistake of the
   *     caller, never of the bytes
   */
  Cursor over(ByteBuffer source, int from, int to) {
    Objects.checkFromToIndex(from, to, source.limit());
    bytes = source;
    at = from;
    end = to;
    overrun = false;
    return this;
  }

  /** The buffer that the offsets of this cursor count in. */
  ByteBuffer source() {
    return bytes;
  }

  /** The offset of the next byte. */
  int position() {
    return at;
  }

  /** How many bytes are left. */
  int remaining() {
    return end - at;
  }

  /** Whether no byte is left. */
  boolean isEmpty() {
    return at == end;
  }

  /** Whether some read asked for more than was left. */
  boolean overrun() {
    return overrun;
  }

  /** Whether everything was read and nothing more was asked for: the structure fits exactly. */
  boolean all() {
    return at == end && !overrun;
  }

  /** The next byte, 0 to 255; 0 on overrun. */
  int u8() {
    if (at == end) {
      return fail();
    }
    return bytes.get(at++) & 0xff;
  }

  /** The next two bytes, big-endian, 0 to 65,535; 0 on overrun. */
  int u16() {
    if (end - at < 2) {
      return fail();
    }
    // Byte by byte: the buffer's own byte order is the caller's affair.
    int value = (bytes.get(at) & 0xff) << 8 | (bytes.get(at + 1) & 0xff);
    at += 2;
    return value;
  }

  /** The next three bytes, big-endian, 0 to 16,777,215; 0 on overrun. */
  int u24() {
    if (end - at < 3) {
      return fail();
    }
    int value =
        (bytes.get(at) & 0xff) << 16 | (bytes.get(at + 1) & 0xff) << 8 | (bytes.get(at + 2) & 0xff);
    at += 3;
    return value;
  }

  /**
   * Passes over bytes.
   *
   * @param count how many, at least 0
   * @return the offset of the first; on overrun the end of the range, where no byte is left
   */
  int take(int count) {
    if (count > end - at) {
      fail();
      return end;
    }
    int from = at;
    at += count;
    return from;
  }

  /**
   * Passes over bytes and lets another cursor read them.
   *
   * @param count how many, at least 0; on overrun {@code part} is empty and overrun as well
   * @param part set to exactly these bytes; not this cursor
   */
  void sub(int count, Cursor part) {
    int from = take(count);
    part.over(bytes, from, at);
    part.overrun = overrun;
  }

  private int fail() {
    overrun = true;
    at = end;
    return 0;
  }
}
