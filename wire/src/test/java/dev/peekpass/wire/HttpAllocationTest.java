package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** What the HTTP parsers allocate for a head that is complete at the first look: nothing. */
class HttpAllocationTest {
  private final ParserScratch scratch = new ParserScratch(1 << 16);

  @Test
  void http1HeadsAllocateNothing() {
    byte[] flight =
        CapturedFlights.all().stream()
            .filter(captured -> captured.file().equals("curl-http1.bin"))
            .findFirst()
            .orElseThrow()
            .bytes();

    assertThat(allocatedBytes(new Http1Parser(scratch), flight)).isZero();
  }

  @Test
  void invalidForeignAndTooLargeHeadsAllocateNothing() {
    assertThat(allocatedBytes(new Http1Parser(scratch), latin1("GET / HTTP/1.1\r\n\r\n"))).isZero();
    assertThat(allocatedBytes(new Http1Parser(scratch), latin1("\u0016\u0003\u0001"))).isZero();
    assertThat(
            allocatedBytes(new Http1Parser(new ParserScratch(8)), latin1("GET / HTTP/1.1\r\n\r\n")))
        .isZero();
  }

  @Test
  void http2StartsAllocateNothing() {
    byte[] whole =
        Frames.start()
            .frame(8, 0, 0, "01ff0001")
            .frame(1, 5, 1, "828684418cf1e3c2e5f23a6ba0ab90f4ff400161 0162 be")
            .done();
    byte[] joined =
        Frames.start()
            .frame(1, 1, 1, "828684418cf1e3c2")
            .frame(9, 4, 1, "e5f23a6ba0ab90f4ff")
            .done();

    assertThat(allocatedBytes(new Http2Parser(scratch), whole)).isZero();
    assertThat(allocatedBytes(new Http2Parser(scratch), joined)).isZero();
  }

  private static long allocatedBytes(HeadParser parser, byte[] flight) {
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
