package dev.peekpass.jmh;

import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.util.List;
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

/**
 * What it costs to find a name's route, each time for another name in random order, until the
 * backend is known. The time includes taking the name over from the bytes that were peeked, which
 * {@link #nameAlone} measures alone.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(5)
public class RouteBenchmark {
  /** What is looked up. */
  public enum Probe {
    /** A name that is in the table. */
    EXACT,
    /** A name that a wildcard takes. */
    WILDCARD,
    /** A name that nothing takes. */
    MISS,
    /** A name that nothing takes, not even five regular expressions. */
    MISS_REGEX,
    /** A name that the last of five regular expressions takes. */
    REGEX
  }

  private static final int REGEXES = 5;

  /** How many names the table has. */
  @Param({"10", "1000", "100000", "1000000"})
  public int names;

  /** What is looked up. */
  @Param public Probe probe;

  private final AlpnList alpn = AlpnList.of(List.of("h2", "http/1.1"));
  private RouteTable table;
  private ProbeList probes;
  private int zero;

  /** Made by JMH. */
  @SuppressWarnings("NullAway.Init") // JMH calls setUp before anything else
  public RouteBenchmark() {}

  /** Builds the table, and sees that the look-ups end as they should. */
  @Setup
  public void setUp() {
    NameSet set = new NameSet(names);
    boolean regex = probe == Probe.REGEX || probe == Probe.MISS_REGEX;
    table = set.table(regex ? REGEXES : 0);
    probes =
        switch (probe) {
          case EXACT -> set.exactHits();
          case WILDCARD -> set.wildcardHits();
          case MISS, MISS_REGEX -> set.misses();
          case REGEX -> set.regexHits(REGEXES);
        };
    boolean miss = probe == Probe.MISS || probe == Probe.MISS_REGEX;
    for (int i = 0; i < probes.size(); i++) {
      HostName host = probes.next(0);
      if ((table.find(host, alpn, 0, 0) == RouteTable.NONE) != miss) {
        throw new IllegalStateException(host + " is no " + probe);
      }
    }
  }

  /** From the name to the backend. */
  @Benchmark
  @OperationsPerInvocation(Batches.OPERATIONS)
  public int find() {
    for (int i = 0; i < Batches.OPERATIONS; i++) {
      int route = table.find(probes.next(zero), alpn, 0, 0);
      zero = (route == RouteTable.NONE ? 0 : table.backendIndex(route)) >>> (Integer.SIZE - 1);
    }
    return zero;
  }

  /** Without the look-up. */
  @Benchmark
  @OperationsPerInvocation(Batches.OPERATIONS)
  public int nameAlone() {
    for (int i = 0; i < Batches.OPERATIONS; i++) {
      HostName host = probes.next(zero);
      zero = host.length() >>> (Integer.SIZE - 1);
    }
    return zero;
  }
}
