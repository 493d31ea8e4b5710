package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The names and wildcards of a table that is being built, each once, in one array of bytes behind
 * an open-addressing hash. A name's key is the offset of its record.
 *
 * <pre>
 *   record:   flags 1 | length 1 | name length | value 4
 *   slot:     upper half of the hash 32 | offset of the record 32, 0 when free
 * </pre>
 */
final class HostKeys {
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
  private static final int WILDCARD = 1;
  private static final int CHAINED = 2;
  private static final int HEAD_BYTES = 2;

  /** Offset 0 is no record, so that a free slot is all zeros. */
  private static final int FIRST = 1;

  private final HostHash hash;
  private final HostName scratch = new HostName();
  private byte[] bytes = new byte[256];
  private int used = FIRST;
  private long[] slots = new long[16];
  private int count;

  HostKeys(HostHash hash) {
    this.hash = hash;
  }

  /** How many names and wildcards there are. */
  int count() {
    return count;
  }

  /** The first key, in the order of insertion, or 0. */
  int first() {
    return count == 0 ? 0 : FIRST;
  }

  /** The key behind another one, or 0. */
  int next(int key) {
    int next = key + HEAD_BYTES + length(key) + Integer.BYTES;
    return next < used ? next : 0;
  }

  /** Finds a pattern that is not a regular expression: its key, or 0. */
  int find(HostPattern pattern) {
    setScratch(pattern.name().getBytes(StandardCharsets.US_ASCII));
    boolean wildcard = pattern.kind() != HostPattern.Kind.EXACT;
    long hashed = HostHash.finish(hash.of(scratch), wildcard);
    int mask = slots.length - 1;
    for (int at = (int) hashed & mask; slots[at] != 0; at = (at + 1) & mask) {
      int key = (int) slots[at];
      if (slots[at] >>> 32 == hashed >>> 32
          && isWildcard(key) == wildcard
          && scratch.endEquals(0, bytes, key + HEAD_BYTES, length(key))) {
        return key;
      }
    }
    return 0;
  }

  /** Adds a pattern that is not here yet and is not a regular expression. */
  int insert(HostPattern pattern) {
    // At most three quarters full, so that a miss ends after a few slots.
    if (4L * (count + 1) > 3L * slots.length) {
      grow();
    }
    byte[] name = pattern.name().getBytes(StandardCharsets.US_ASCII);
    boolean wildcard = pattern.kind() != HostPattern.Kind.EXACT;
    int key = used;
    int end = Math.addExact(used, HEAD_BYTES + name.length + Integer.BYTES);
    if (end > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(end, (int) Math.min(1_500_000_000L, 2L * end)));
    }
    bytes[key] = (byte) (wildcard ? WILDCARD : 0);
    bytes[key + 1] = (byte) name.length;
    System.arraycopy(name, 0, bytes, key + HEAD_BYTES, name.length);
    used = end;
    count++;
    place(key);
    return key;
  }

  private void place(int key) {
    long hashed = hashed(key);
    int mask = slots.length - 1;
    int at = (int) hashed & mask;
    while (slots[at] != 0) {
      at = (at + 1) & mask;
    }
    slots[at] = (hashed >>> 32) << 32 | key;
  }

  private void grow() {
    slots = new long[2 * slots.length];
    for (int key = first(); key != 0; key = next(key)) {
      place(key);
    }
  }

  /** {@link HostHash#finish} of a name. */
  long hashed(int key) {
    scratch.set(ByteBuffer.wrap(bytes), key + HEAD_BYTES, length(key));
    return HostHash.finish(hash.of(scratch), isWildcard(key));
  }

  private void setScratch(byte[] name) {
    scratch.set(ByteBuffer.wrap(name), 0, name.length);
  }

  /** A name's length in bytes. */
  int length(int key) {
    return bytes[key + 1] & 0xff;
  }

  /** Whether it is a wildcard; the name is what stands behind {@code *.}. */
  boolean isWildcard(int key) {
    return (bytes[key] & WILDCARD) != 0;
  }

  /** Copies a name. */
  void copyName(int key, byte[] target, int offset) {
    System.arraycopy(bytes, key + HEAD_BYTES, target, offset, length(key));
  }

  /** Whether a name's value is the head of a chain of routes, and not one route. */
  boolean isChained(int key) {
    return (bytes[key] & CHAINED) != 0;
  }

  int value(int key) {
    return (int) INT.get(bytes, key + HEAD_BYTES + length(key));
  }

  void setValue(int key, int value, boolean chained) {
    INT.set(bytes, key + HEAD_BYTES + length(key), value);
    bytes[key] = (byte) ((bytes[key] & WILDCARD) | (chained ? CHAINED : 0));
  }

  /** Spells a name out. */
  HostPattern pattern(int key) {
    String name = new String(bytes, key + HEAD_BYTES, length(key), StandardCharsets.US_ASCII);
    return pattern(name, isWildcard(key));
  }

  /**
   * The pattern of a name.
   *
   * @param wildcard whether it stands behind {@code *.}; if it is empty, for {@code *}
   */
  static HostPattern pattern(String name, boolean wildcard) {
    if (!wildcard) {
      return new HostPattern(HostPattern.Kind.EXACT, name);
    }
    return name.isEmpty()
        ? new HostPattern(HostPattern.Kind.ANY, "*")
        : new HostPattern(HostPattern.Kind.WILDCARD, "*." + name);
  }
}
