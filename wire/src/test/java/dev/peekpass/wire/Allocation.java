package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;

/** Measures what a parser allocates. */
final class Allocation {
  private Allocation() {}

  /** The bytes that 10,000 parses of a complete flight allocate once all is compiled. */
  static long ofParsing(HeadParser parser, byte[] flight) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(flight.length).put(0, flight);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    assertThat(threads.isThreadAllocatedMemoryEnabled()).isTrue();
    parseMany(parser, bytes, 20_000);
    long least = Long.MAX_VALUE;
    // The least of a few rounds: the JVM itself may allocate something once, parsing would always.
    for (int round = 0; round < 5; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      long between = threads.getCurrentThreadAllocatedBytes();
      int settled = parseMany(parser, bytes, 10_000);
      long after = threads.getCurrentThreadAllocatedBytes();
      assertThat(settled).isEqualTo(10_000);
      least = Math.min(least, after - between - (between - before));
    }
    return least;
  }

  private static int parseMany(HeadParser parser, ByteBuffer bytes, int times) {
    int settled = 0;
    for (int i = 0; i < times; i++) {
      parser.reset();
      if (!(parser.parse(bytes, bytes.capacity()) instanceof Parsed.Incomplete)) {
        settled++;
      }
    }
    return settled;
  }
}
