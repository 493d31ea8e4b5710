package dev.peekpass.wire;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * The protocol names of an ALPN extension in wire order (RFC 7301 section 3.1): a view of its
 * validated ProtocolNameList, reused, valid as long as the {@link Peeked} that holds it.
 */
public final class AlpnList {
  private ByteBuffer source = ByteBuffer.allocate(0);
  private int start;
  private int end;

  AlpnList() {}

  /**
   * Makes a list of its own, for callers that have names and no ClientHello.
   *
   * @param names in order of preference, each 1 to 255 characters of Latin-1
   * @throws IllegalArgumentException if a name is empty, too long or not Latin-1
   */
  public static AlpnList of(List<String> names) {
    ByteBuffer bytes = ByteBuffer.allocate(names.size() * 256);
    for (String name : names) {
      boolean latin1 = name.chars().allMatch(c -> c < 256);
      if (name.isEmpty() || name.length() > 255 || !latin1) {
        throw new IllegalArgumentException("an ALPN name is 1 to 255 bytes, not \"" + name + "\"");
      }
      bytes.put((byte) name.length()).put(name.getBytes(StandardCharsets.ISO_8859_1));
    }
    AlpnList list = new AlpnList();
    list.set(bytes, 0, bytes.position());
    return list;
  }

  void clear() {
    start = 0;
    end = 0;
  }

  /**
   * Takes a list that has been checked: names of 1 to 255 bytes, each behind a length byte, that
   * fill {@code from} to {@code to} exactly.
   */
  void set(ByteBuffer bytes, int from, int to) {
    source = bytes;
    start = from;
    end = to;
  }

  /** Whether nothing is offered. */
  public boolean isEmpty() {
    return start == end;
  }

  /**
   * Whether a protocol is offered. Compares bytes, as RFC 7301 says.
   *
   * @param name the protocol's name, 1 to 255 bytes
   */
  public boolean contains(byte[] name) {
    for (int at = start; at < end; at += 1 + (source.get(at) & 0xff)) {
      if ((source.get(at) & 0xff) == name.length && matches(at + 1, name)) {
        return true;
      }
    }
    return false;
  }

  private boolean matches(int from, byte[] name) {
    for (int i = 0; i < name.length; i++) {
      if (source.get(from + i) != name[i]) {
        return false;
      }
    }
    return true;
  }

  /**
   * Copies the list as it is on the wire, names behind their lengths.
   *
   * @return how many bytes were copied; 0 when the list is empty or longer than {@code target}
   */
  public int copyTo(byte[] target) {
    int length = end - start;
    if (length > target.length) {
      return 0;
    }
    source.get(start, target, 0, length);
    return length;
  }

  /** The names, each byte one character (Latin-1). */
  public List<String> toList() {
    List<String> names = new ArrayList<>();
    for (int at = start; at < end; at += 1 + (source.get(at) & 0xff)) {
      byte[] name = new byte[source.get(at) & 0xff];
      source.get(at + 1, name);
      names.add(new String(name, StandardCharsets.ISO_8859_1));
    }
    return names;
  }
}
