package dev.peekpass.wire;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A host name as sent, and in the canonical form in which names are compared: ASCII letters in
 * lower case, no trailing dot (RFC 1034 section 3.1, RFC 4343). Reused, valid as long as the {@link
 * Peeked} that holds it.
 */
public final class HostName {
  /**
   * The longest name that can be compared, in bytes (RFC 1035 section 2.3.4). A longer one is kept
   * as sent but matches nothing.
   */
  public static final int MAX_BYTES = 255;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  // The canonical form stands behind a word of zeros, which is never written: see wordBefore.
  private final byte[] canonical = new byte[Long.BYTES + MAX_BYTES];
  private int canonicalLength;
  private boolean routable;
  private ByteBuffer source = ByteBuffer.allocate(0);
  private int start;
  private int length;

  /** An empty name. */
  public HostName() {}

  /** Makes the name empty. */
  public void clear() {
    canonicalLength = 0;
    routable = false;
    length = 0;
  }

  /**
   * Takes a name.
   *
   * @param bytes where it stands; kept, and read again by {@link #raw()}
   * @param from its first byte's offset
   * @param count its length in bytes
   */
  public void set(ByteBuffer bytes, int from, int count) {
    source = bytes;
    start = from;
    length = count;
    int n = count;
    if (n > 0 && bytes.get(from + n - 1) == '.') {
      n--;
    }
    if (n > MAX_BYTES) {
      canonicalLength = 0;
      routable = false;
      return;
    }
    boolean plain = true;
    for (int i = 0; i < n; i++) {
      byte b = bytes.get(from + i);
      canonical[Long.BYTES + i] = b >= 'A' && b <= 'Z' ? (byte) (b | 0x20) : b;
      plain &= Ascii.isRegNameChar(b);
    }
    canonicalLength = n;
    routable = n > 0 && (plain || isLiteral(bytes, from, n));
  }

  private static boolean isLiteral(ByteBuffer bytes, int from, int count) {
    return count > 2
        && bytes.get(from) == '['
        && bytes.get(from + count - 1) == ']'
        && IpLiteral.isValid(bytes, from + 1, from + count - 1);
  }

  /**
   * Whether a route may match it: it has 1 to {@link #MAX_BYTES} bytes, and all are such that every
   * reader takes them for the same name (unreserved and sub-delims of RFC 3986 section 2), or it is
   * an IP-literal. Percent-encoded, non-ASCII and other bytes, which some readers decode, map (RFC
   * 5895) or cut a name at, may stand in a name and match nothing.
   */
  public boolean isRoutable() {
    return routable;
  }

  /** Whether no name was sent. */
  public boolean isEmpty() {
    return length == 0;
  }

  /**
   * The canonical form's length in bytes; 0 when there is none or it is over {@link #MAX_BYTES}.
   */
  public int length() {
    return canonicalLength;
  }

  /**
   * One byte of the canonical form.
   *
   * @param index from 0 to {@code length() - 1}
   */
  public byte at(int index) {
    return canonical[Long.BYTES + index];
  }

  /**
   * The eight bytes of the canonical form before an offset, the last of them in the lowest bits.
   * Zeros stand where the name has not begun yet.
   *
   * @param end from 0 to {@code length()}
   */
  public long wordBefore(int end) {
    return (long) LONG.get(canonical, end);
  }

  /**
   * Whether the canonical form from an offset to its end is equal to some bytes.
   *
   * @param from from 0 to {@code length()}
   * @param bytes where the other name is
   * @param at its first byte's offset
   * @param count its length in bytes
   */
  public boolean endEquals(int from, byte[] bytes, int at, int count) {
    return Arrays.equals(
        canonical, Long.BYTES + from, Long.BYTES + canonicalLength, bytes, at, at + count);
  }

  /**
   * Copies the canonical form.
   *
   * @param target at least {@link #MAX_BYTES} long from {@code offset}
   * @return how many bytes were copied
   */
  public int copyTo(byte[] target, int offset) {
    System.arraycopy(canonical, Long.BYTES, target, offset, canonicalLength);
    return canonicalLength;
  }

  /** The name exactly as sent, each byte one character (Latin-1). May hold control characters. */
  public String raw() {
    byte[] copy = new byte[length];
    source.get(start, copy);
    return new String(copy, StandardCharsets.ISO_8859_1);
  }

  /** The canonical form as a string, each byte one character (Latin-1). For logs, escape it. */
  @Override
  public String toString() {
    return new String(canonical, Long.BYTES, canonicalLength, StandardCharsets.ISO_8859_1);
  }
}
