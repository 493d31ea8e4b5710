package dev.peekpass.jmh;

import dev.peekpass.wire.HostName;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Names to look up, in an order in which no cache has the next one's entry. They lie one behind the
 * other, so that the processor prefetches the names themselves, as in the proxy, where the kernel
 * has just written them.
 */
final class ProbeList {
  /** Makes a name. */
  interface Maker {
    /** The name of an index, or null when it has none. */
    @Nullable String make(int index);
  }

  private final ByteBuffer bytes;
  private final int[] ends;
  private final HostName host = new HostName();
  private int at;

  ProbeList(List<Integer> order, Maker maker) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    List<Integer> offsets = new ArrayList<>();
    for (int index : order) {
      String name = maker.make(index);
      if (name != null) {
        out.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
        offsets.add(out.size());
      }
    }
    bytes = Flights.direct(out.toByteArray());
    ends = offsets.stream().mapToInt(Integer::intValue).toArray();
  }

  int size() {
    return ends.length;
  }

  /**
   * The next name; the first one again behind the last.
   *
   * @param zero what is zero, but only the result of the look-up before tells: the processor cannot
   *     begin with one look-up before it has done the other, as it cannot in the proxy
   */
  HostName next(int zero) {
    int index = at + zero;
    int from = index == 0 ? 0 : ends[index - 1];
    host.set(bytes, from, ends[index] - from);
    at = index + 1 == ends.length ? 0 : index + 1;
    return host;
  }
}
