package dev.peekpass.jmh;

import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

/**
 * What it costs to find the host in a connection's first bytes, the choice of the protocol
 * included, by the parser that the proxy uses.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(5)
public class ParserBenchmark {
  /** What is parsed. */
  public enum Flight {
    /** curl's ClientHello with ALPN. */
    CLIENT_HELLO_517("corpus/curl-http2.bin"),
    /** A ClientHello in the shape of a browser's. */
    CLIENT_HELLO_2048(""),
    /** curl's request. */
    HTTP1_94("corpus-http/curl-http1.bin"),
    /** An HTTP/2 preface, settings and the first request, whose host is Huffman-coded. */
    HTTP2_163("corpus-http/nghttp-h2.bin");

    private final String file;

    Flight(String file) {
      this.file = file;
    }

    ByteBuffer bytes() {
      return file.isEmpty()
          ? Flights.browserHello("shop.example.com", 2048)
          : Flights.captured(file);
    }
  }

  /** What is parsed. */
  @Param public Flight flight;

  private final FirstFlightParser parser = new FirstFlightParser(new ParserScratch(1 << 16));
  private ByteBuffer bytes;
  private int length;
  private int firstSegment;

  /** Made by JMH. */
  @SuppressWarnings("NullAway.Init") // JMH calls setUp before anything else
  public ParserBenchmark() {}

  /** Loads the flight, and sees that a host is found in it. */
  @Setup
  public void setUp() {
    bytes = flight.bytes();
    length = bytes.capacity();
    firstSegment = Math.min(Flights.SEGMENT_BYTES, length - 1);
    if (!(atOnce() instanceof Parsed.Found) || !(inPieces() instanceof Parsed.Found)) {
      throw new IllegalStateException(flight + " names no host");
    }
  }

  /** All of it is there at the first look. */
  @Benchmark
  @OperationsPerInvocation(Batches.OPERATIONS)
  public void whole(Blackhole sink) {
    for (int i = 0; i < Batches.OPERATIONS; i++) {
      sink.consume(atOnce());
    }
  }

  /** The first look sees one segment of TCP, or all but the last byte. */
  @Benchmark
  @OperationsPerInvocation(Batches.OPERATIONS)
  public void inTwoSegments(Blackhole sink) {
    for (int i = 0; i < Batches.OPERATIONS; i++) {
      sink.consume(inPieces());
    }
  }

  private Parsed<Peeked> atOnce() {
    parser.reset();
    return parser.parse(bytes, length);
  }

  private Parsed<Peeked> inPieces() {
    parser.reset();
    Parsed<Peeked> first = parser.parse(bytes, firstSegment);
    return first instanceof Parsed.Incomplete ? parser.parse(bytes, length) : first;
  }
}
