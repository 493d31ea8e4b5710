package dev.peekpass.jmh;

import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to wait for memory that no cache holds, page tables included: the least that a
 * look-up in a large table can take, and what it mostly is. On a machine that is shared it changes
 * from one hour to the next.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(5)
public class MemoryBenchmark {
  /** 64 MiB, as a table of a million names is. */
  private static final int WORDS = 1 << 24;

  private int[] next;
  private int at;

  /** Made by JMH. */
  @SuppressWarnings("NullAway.Init") // JMH calls setUp before anything else
  public MemoryBenchmark() {}

  /** Makes one ring of all words, in random order (Sattolo's algorithm). */
  @Setup
  public void setUp() {
    next = new int[WORDS];
    for (int i = 0; i < WORDS; i++) {
      next[i] = i;
    }
    SplittableRandom random = new SplittableRandom(1);
    for (int i = WORDS - 1; i > 0; i--) {
      int other = random.nextInt(i);
      int word = next[i];
      next[i] = next[other];
      next[other] = word;
    }
  }

  /** From a word to the one that it names. */
  @Benchmark
  @OperationsPerInvocation(Batches.OPERATIONS)
  public int read() {
    for (int i = 0; i < Batches.OPERATIONS; i++) {
      at = next[at];
    }
    return at;
  }
}
