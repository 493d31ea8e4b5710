package dev.peekpass.wire;

/**
 * The address space of HPACK: static table, then dynamic table (RFC 7541 section 2.3). Names and
 * values lie one after the other in a ring, which cannot overflow because every entry counts {@link
 * #ENTRY_OVERHEAD_BYTES} more than it takes.
 *
 * <pre>
 *      oldest entry             newest entry
 *   ┌───────┬────────┬────────┬───────┬────────┬─ ─ ─ ─
 *   │ name  │ value  │   …    │ name  │ value  │ free     (wraps round)
 *   └───────┴────────┴────────┴───────┴────────┴─ ─ ─ ─
 *                                              └ ringEnd
 * </pre>
 */
final class HpackTable {
  /**
   * The largest size, as long as no SETTINGS_HEADER_TABLE_SIZE was sent (RFC 9113 section 6.5.2).
   */
  static final int MAX_BYTES = 4096;

  /** What an entry counts beyond its name and value (RFC 7541 section 4.1). */
  static final int ENTRY_OVERHEAD_BYTES = 32;

  private static final int MAX_ENTRIES = MAX_BYTES / ENTRY_OVERHEAD_BYTES;

  private final byte[] ring = new byte[MAX_BYTES];
  private final int[] starts = new int[MAX_ENTRIES];
  private final int[] nameLengths = new int[MAX_ENTRIES];
  private final int[] valueLengths = new int[MAX_ENTRIES];

  /** The newest entry's place in the three arrays. */
  private int newest;

  private int entries;
  private int ringEnd;
  private int sizeBytes;
  private int maxBytes = MAX_BYTES;

  /** Empties the dynamic table and makes it as large as at a connection's begin. */
  void clear() {
    newest = 0;
    entries = 0;
    ringEnd = 0;
    sizeBytes = 0;
    maxBytes = MAX_BYTES;
  }

  /** How many entries the dynamic table has. */
  int dynamicEntries() {
    return entries;
  }

  /** The dynamic table's size in bytes (RFC 7541 section 4.1). */
  int sizeBytes() {
    return sizeBytes;
  }

  /**
   * Changes the dynamic table's maximum size (RFC 7541 section 4.3).
   *
   * @param bytes 0 to {@link #MAX_BYTES}
   */
  void resize(int bytes) {
    maxBytes = bytes;
    evictDownTo(bytes);
  }

  /**
   * Adds an entry to the dynamic table; one that is larger than the table empties it (RFC 7541
   * section 4.4).
   */
  void add(byte[] text, int nameFrom, int nameLength, int valueFrom, int valueLength) {
    int bytes = nameLength + valueLength + ENTRY_OVERHEAD_BYTES;
    evictDownTo(Math.max(0, maxBytes - bytes));
    if (bytes > maxBytes) {
      return;
    }
    newest = (newest + 1) % MAX_ENTRIES;
    starts[newest] = ringEnd;
    nameLengths[newest] = nameLength;
    valueLengths[newest] = valueLength;
    append(text, nameFrom, nameLength);
    append(text, valueFrom, valueLength);
    entries++;
    sizeBytes += bytes;
  }

  private void evictDownTo(int bytes) {
    while (sizeBytes > bytes) {
      int oldest = place(entries);
      sizeBytes -= nameLengths[oldest] + valueLengths[oldest] + ENTRY_OVERHEAD_BYTES;
      entries--;
    }
  }

  private void append(byte[] text, int from, int length) {
    int first = Math.min(length, MAX_BYTES - ringEnd);
    System.arraycopy(text, from, ring, ringEnd, first);
    System.arraycopy(text, from + first, ring, 0, length - first);
    ringEnd = (ringEnd + length) % MAX_BYTES;
  }

  /** The place in the arrays of the {@code age}th newest entry, 1 being the newest. */
  private int place(int age) {
    return (newest - age + 1 + MAX_ENTRIES) % MAX_ENTRIES;
  }

  /** Whether an index names an entry. */
  boolean has(int index) {
    return index >= 1 && index <= HpackStaticTable.ENTRIES + entries;
  }

  /** The length in bytes of the name at an index that {@link #has} accepts. */
  int nameLength(int index) {
    return index <= HpackStaticTable.ENTRIES
        ? HpackStaticTable.name(index).length
        : nameLengths[place(index - HpackStaticTable.ENTRIES)];
  }

  /** The length in bytes of the value at an index that {@link #has} accepts. */
  int valueLength(int index) {
    return index <= HpackStaticTable.ENTRIES
        ? HpackStaticTable.value(index).length
        : valueLengths[place(index - HpackStaticTable.ENTRIES)];
  }

  /** Copies the name at an index that {@link #has} accepts. */
  void copyName(int index, byte[] target, int offset) {
    if (index <= HpackStaticTable.ENTRIES) {
      byte[] name = HpackStaticTable.name(index);
      System.arraycopy(name, 0, target, offset, name.length);
    } else {
      int place = place(index - HpackStaticTable.ENTRIES);
      copy(starts[place], nameLengths[place], target, offset);
    }
  }

  /** Copies the value at an index that {@link #has} accepts. */
  void copyValue(int index, byte[] target, int offset) {
    if (index <= HpackStaticTable.ENTRIES) {
      byte[] value = HpackStaticTable.value(index);
      System.arraycopy(value, 0, target, offset, value.length);
    } else {
      int place = place(index - HpackStaticTable.ENTRIES);
      int from = (starts[place] + nameLengths[place]) % MAX_BYTES;
      copy(from, valueLengths[place], target, offset);
    }
  }

  private void copy(int from, int length, byte[] target, int offset) {
    int first = Math.min(length, MAX_BYTES - from);
    System.arraycopy(ring, from, target, offset, first);
    System.arraycopy(ring, 0, target, offset + first, length - first);
  }
}
