package dev.peekpass.proxy.route;

import dev.peekpass.wire.HostName;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The names and wildcards of a table, each once, in one array of bytes behind an open-addressing
 * hash. Grows while its builder owns it, never changes afterwards.
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

  private final HostHash hash;
  private final List<String> regexes = new ArrayList<>();
  private final HostName scratch = new HostName();
  // Offset 0 is no record, so that a free slot is all zeros.
  private byte[] bytes = new byte[256];
  private int used = 1;
  private long[] slots = new long[16];
  private int count;

  HostKeys(HostHash hash) {
    this.hash = hash;
  }

  /** How many names and wildcards there are. */
  int count() {
    return count;
  }

  /**
   * Finds a name.
   *
   * @param hashed {@link HostHash#finish} of it
   * @param from where in {@code host} it begins; it ends where the host ends
   * @return its slot, or -1 when it is not here
   */
  int find(long hashed, HostName host, int from, boolean wildcard) {
    int mask = slots.length - 1;
    for (int at = (int) hashed & mask; ; at = (at + 1) & mask) {
      long slot = slots[at];
      if (slot == 0) {
        return -1;
      }
      if (slot >>> 32 == hashed >>> 32 && equal((int) slot, host, from, wildcard)) {
        return at;
      }
    }
  }

  /** How many slots there are. */
  int slotCount() {
    return slots.length;
  }

  /** The offset of a slot's record, or 0 when it is free. */
  int recordAt(int slot) {
    return (int) slots[slot];
  }

  private boolean equal(int record, HostName host, int from, boolean wildcard) {
    int length = host.length() - from;
    if ((bytes[record + 1] & 0xff) != length || isWildcard(record) != wildcard) {
      return false;
    }
    for (int i = 0; i < length; i++) {
      if (bytes[record + HEAD_BYTES + i] != host.at(from + i)) {
        return false;
      }
    }
    return true;
  }

  /** Finds a pattern that is not a regular expression: its record's offset, or 0. */
  int find(HostPattern pattern) {
    setScratch(pattern.name().getBytes(StandardCharsets.US_ASCII));
    boolean wildcard = pattern.kind() != HostPattern.Kind.EXACT;
    int slot = find(HostHash.finish(hash.of(scratch), wildcard), scratch, 0, wildcard);
    return slot < 0 ? 0 : recordAt(slot);
  }

  /** Adds a pattern that is not here yet and is not a regular expression. */
  int insert(HostPattern pattern) {
    // At most three quarters full, so that a miss ends after a few slots.
    if (4L * (count + 1) > 3L * slots.length) {
      grow();
    }
    byte[] name = pattern.name().getBytes(StandardCharsets.US_ASCII);
    boolean wildcard = pattern.kind() != HostPattern.Kind.EXACT;
    int record = used;
    int end = Math.addExact(used, HEAD_BYTES + name.length + Integer.BYTES);
    if (end > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(end, (int) Math.min(1_500_000_000L, 2L * end)));
    }
    bytes[record] = (byte) (wildcard ? WILDCARD : 0);
    bytes[record + 1] = (byte) name.length;
    System.arraycopy(name, 0, bytes, record + HEAD_BYTES, name.length);
    used = end;
    count++;
    place(record);
    return record;
  }

  private void place(int record) {
    setScratch(nameOf(record));
    long hashed = HostHash.finish(hash.of(scratch), isWildcard(record));
    int mask = slots.length - 1;
    int at = (int) hashed & mask;
    while (slots[at] != 0) {
      at = (at + 1) & mask;
    }
    slots[at] = (hashed >>> 32) << 32 | record;
  }

  private void grow() {
    slots = new long[2 * slots.length];
    for (int record = 1; record < used; record = valueAt(record) + Integer.BYTES) {
      place(record);
    }
  }

  /** Adds a regular expression. */
  int insertRegex(String regex) {
    regexes.add(regex);
    return -regexes.size();
  }

  /** Gives back the room for growth. */
  void trim() {
    bytes = Arrays.copyOf(bytes, used);
  }

  private void setScratch(byte[] name) {
    scratch.set(ByteBuffer.wrap(name), 0, name.length);
  }

  private byte[] nameOf(int record) {
    int start = record + HEAD_BYTES;
    return Arrays.copyOfRange(bytes, start, start + (bytes[record + 1] & 0xff));
  }

  private boolean isWildcard(int record) {
    return (bytes[record] & WILDCARD) != 0;
  }

  private int valueAt(int record) {
    return record + HEAD_BYTES + (bytes[record + 1] & 0xff);
  }

  /** Whether a record's value is the head of a chain of routes, and not one route. */
  boolean isChained(int record) {
    return (bytes[record] & CHAINED) != 0;
  }

  int value(int record) {
    return (int) INT.get(bytes, valueAt(record));
  }

  void setValue(int record, int value, boolean chained) {
    INT.set(bytes, valueAt(record), value);
    bytes[record] = (byte) ((bytes[record] & WILDCARD) | (chained ? CHAINED : 0));
  }

  /**
   * Spells a key out.
   *
   * @param key what an insert returned
   */
  HostPattern pattern(int key) {
    if (key < 0) {
      return new HostPattern(HostPattern.Kind.REGEX, regexes.get(-key - 1));
    }
    String name = new String(nameOf(key), StandardCharsets.US_ASCII);
    if (!isWildcard(key)) {
      return new HostPattern(HostPattern.Kind.EXACT, name);
    }
    return name.isEmpty()
        ? new HostPattern(HostPattern.Kind.ANY, "*")
        : new HostPattern(HostPattern.Kind.WILDCARD, "*." + name);
  }
}
