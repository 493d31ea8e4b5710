package dev.peekpass.wire;

import java.nio.ByteBuffer;

/**
 * Decodes header blocks (RFC 7541), one field a call. The decoded list stays in {@link #text()}, so
 * that offsets into it are good until the next block; its size is limited, which also bounds the
 * work that a small block full of references can cause.
 *
 * <pre>
 *   1xxxxxxx  indexed field                  section 6.1
 *   01xxxxxx  literal, added to the table    section 6.2.1
 *   001xxxxx  table size update              section 6.3
 *   0000xxxx  literal, not added             section 6.2.2
 *   0001xxxx  literal, never to be added     section 6.2.3
 * </pre>
 */
final class HpackDecoder {
  /** What {@link #next()} found. */
  enum Step {
    /** A field. */
    FIELD,
    /** The end of the block. */
    END,
    /** Something that RFC 7541 calls a decoding error. */
    CORRUPT,
    /** A list that is over the limit. */
    TOO_LARGE
  }

  /** Continuation bytes that an integer may have; 4 carry 28 bits, more than any limit here. */
  private static final int MAX_INTEGER_TAIL_BYTES = 4;

  private static final int NO_INTEGER = -1;

  private final HpackTable table = new HpackTable();
  private final byte[] text;
  private final ByteBuffer textView;
  private ByteBuffer block = ByteBuffer.allocate(0);
  private int at;
  private int to;
  private boolean fieldSeen;
  private int listBytes;
  private int textEnd;
  private int nameFrom;
  private int valueFrom;

  /**
   * Makes a decoder with an empty table.
   *
   * @param listLimitBytes the largest list of fields, counted as in RFC 9113 section 6.5.2: names,
   *     values, and 32 bytes a field
   */
  HpackDecoder(int listLimitBytes) {
    text = new byte[listLimitBytes];
    textView = ByteBuffer.wrap(text);
  }

  /** Forgets the connection: empties the dynamic table. */
  void reset() {
    table.clear();
  }

  /** Begins with a complete block. */
  void begin(ByteBuffer block, int from, int to) {
    this.block = block;
    this.at = from;
    this.to = to;
    fieldSeen = false;
    listBytes = 0;
    textEnd = 0;
    nameFrom = 0;
    valueFrom = 0;
  }

  /** The names and values decoded, valid until the next {@link #begin}. */
  ByteBuffer text() {
    return textView;
  }

  /** The offset in {@link #text()} of the last field's name; it ends at {@link #valueFrom()}. */
  int nameFrom() {
    return nameFrom;
  }

  /** The offset in {@link #text()} of the last field's value. */
  int valueFrom() {
    return valueFrom;
  }

  /** The offset in {@link #text()} just past the last field's value. */
  int valueEnd() {
    return textEnd;
  }

  /** The tables, for tests. */
  HpackTable table() {
    return table;
  }

  /** Decodes the next field. After anything but {@link Step#FIELD} there is no next one. */
  Step next() {
    while (at < to) {
      int first = block.get(at);
      if ((first & 0xe0) != 0x20) {
        fieldSeen = true;
        return (first & 0x80) != 0 ? indexed() : literal((first & 0x40) != 0);
      }
      int bytes = integer(5);
      if (fieldSeen || bytes == NO_INTEGER || bytes > HpackTable.MAX_BYTES) {
        return Step.CORRUPT;
      }
      table.resize(bytes);
    }
    return Step.END;
  }

  private Step indexed() {
    int index = integer(7);
    if (!table.has(index)) {
      return Step.CORRUPT;
    }
    int nameLength = table.nameLength(index);
    int valueLength = table.valueLength(index);
    if (!count(HpackTable.ENTRY_OVERHEAD_BYTES + nameLength + valueLength)) {
      return Step.TOO_LARGE;
    }
    nameFrom = textEnd;
    valueFrom = nameFrom + nameLength;
    textEnd = valueFrom + valueLength;
    table.copyName(index, text, nameFrom);
    table.copyValue(index, text, valueFrom);
    return Step.FIELD;
  }

  private Step literal(boolean added) {
    if (!count(HpackTable.ENTRY_OVERHEAD_BYTES)) {
      return Step.TOO_LARGE;
    }
    nameFrom = textEnd;
    int index = integer(added ? 6 : 4);
    if (index == 0) {
      Step step = string();
      if (step != Step.FIELD) {
        return step;
      }
    } else {
      if (!table.has(index)) {
        return Step.CORRUPT;
      }
      int length = table.nameLength(index);
      if (!count(length)) {
        return Step.TOO_LARGE;
      }
      table.copyName(index, text, textEnd);
      textEnd += length;
    }
    valueFrom = textEnd;
    Step step = string();
    if (step == Step.FIELD && added) {
      table.add(text, nameFrom, valueFrom - nameFrom, valueFrom, textEnd - valueFrom);
    }
    return step;
  }

  /** Appends a string (RFC 7541 section 5.2) to the text. {@link Step#FIELD} when it did. */
  private Step string() {
    if (at == to) {
      return Step.CORRUPT;
    }
    boolean huffman = (block.get(at) & 0x80) != 0;
    int length = integer(7);
    if (length == NO_INTEGER || length > to - at) {
      return Step.CORRUPT;
    }
    int decoded = length;
    if (huffman) {
      decoded = HpackHuffman.decode(block, at, at + length, text, textEnd);
      if (decoded == HpackHuffman.CORRUPT) {
        return Step.CORRUPT;
      }
      if (decoded == HpackHuffman.TOO_LARGE || !count(decoded)) {
        return Step.TOO_LARGE;
      }
    } else {
      if (!count(length)) {
        return Step.TOO_LARGE;
      }
      block.get(at, text, textEnd, length);
    }
    at += length;
    textEnd += decoded;
    return Step.FIELD;
  }

  /** Adds to the list's size; false when that goes over the limit, which is the text's size too. */
  private boolean count(int bytes) {
    if (bytes > text.length - listBytes) {
      return false;
    }
    listBytes += bytes;
    return true;
  }

  /**
   * Reads an integer (RFC 7541 section 5.1).
   *
   * @param prefixBits how many bits of the first byte belong to it; that byte is there
   * @return 0 or more, or {@link #NO_INTEGER} when it is cut off or too long
   */
  private int integer(int prefixBits) {
    int mask = (1 << prefixBits) - 1;
    int value = block.get(at++) & mask;
    if (value < mask) {
      return value;
    }
    for (int tail = 0; tail < MAX_INTEGER_TAIL_BYTES; tail++) {
      if (at == to) {
        return NO_INTEGER;
      }
      byte b = block.get(at++);
      value += (b & 0x7f) << (7 * tail);
      if (b >= 0) {
        return value;
      }
    }
    return NO_INTEGER;
  }
}
