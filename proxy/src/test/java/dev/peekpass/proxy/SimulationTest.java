package dev.peekpass.proxy;

import static java.util.concurrent.TimeUnit.HOURS;
import static java.util.concurrent.TimeUnit.MINUTES;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Violation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Thousands of lives of a loop, each from a seed: docs/simulation.md. */
class SimulationTest {
  private static final long SEEDS = 10_000;
  private static final long QUICK_SEEDS = 2_000;
  private static final long LONG_SEEDS = 1_000_000;

  /** After how many failures a long run is given up. */
  private static final int MOST_FAILURES = 20;

  /** Where the trace of a seed goes that fails or was asked for. */
  private static final Path TRACES = Path.of("target", "simulation");

  @Test
  @Timeout(value = 3, unit = HOURS)
  void theLoopKeepsItsPromisesWhateverHappens() {
    Long asked = Long.getLong("peekpass.seed");
    if (asked != null) {
      replay(asked);
    } else if (Boolean.getBoolean("peekpass.long")) {
      liveThroughMany();
    } else {
      long seeds = Boolean.getBoolean("peekpass.quick") ? QUICK_SEEDS : SEEDS;
      LongStream.range(0, seeds).forEach(SimulationTest::live);
    }
  }

  /** Lives through a million seeds on all processors, and says every minute how far it is. */
  private static void liveThroughMany() {
    List<Throwable> failures = new CopyOnWriteArrayList<>();
    LongAdder done = new LongAdder();
    long started = System.nanoTime();
    try (ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor()) {
      Runnable report = () -> report(done.sum(), started, failures.size());
      ScheduledFuture<?> reports = clock.scheduleAtFixedRate(report, 1, 1, MINUTES);
      LongStream.range(0, LONG_SEEDS)
          .parallel()
          .forEach(seed -> {
            if (failures.size() < MOST_FAILURES) {
              try {
                live(seed);
              } catch (AssertionError failure) {
                failures.add(failure);
              }
              done.increment();
            }
          });
      reports.cancel(false);
    }
    report(done.sum(), started, failures.size());
    assertThat(failures).as("the first failures of %d seeds", done.sum()).isEmpty();
  }

  private static void report(long done, long started, int failures) {
    long seconds = NANOSECONDS.toSeconds(System.nanoTime() - started);
    System.out.printf(
        "%,d of %,d lives in %d s, %,d a second, %d failed%n",
        done, LONG_SEEDS, seconds, done / Math.max(seconds, 1), failures);
  }

  private static void live(long seed) {
    try {
      Simulation.run(seed, false, UnaryOperator.identity());
    } catch (Violation violation) {
      replay(seed);
      throw violation; // It must have failed again.
    }
  }

  /** Lives through a seed once more and keeps what happened. */
  private static void replay(long seed) {
    String trace = "";
    try {
      trace = Simulation.run(seed, true, UnaryOperator.identity()).trace();
    } catch (Violation violation) {
      trace = violation.getSuppressed()[0].getMessage() + violation.getMessage() + "\n";
      throw new AssertionError(
          "%s%nthe trace is in proxy/%s; to replay: mvn -pl proxy -am test -Dtest=SimulationTest"
                  .formatted(violation.getMessage(), file(seed))
              + " -Dsurefire.failIfNoSpecifiedTests=false -Dpeekpass.seed="
              + seed,
          violation);
    } finally {
      keep(file(seed), trace);
    }
  }

  private static Path file(long seed) {
    return TRACES.resolve("seed-" + seed + ".txt");
  }

  private static void keep(Path file, String trace) {
    try {
      Files.createDirectories(TRACES);
      Files.writeString(file, trace);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aSeedReplaysByteForByte() {
    for (long seed = 0; seed < 50; seed++) {
      String once = Simulation.run(seed, true, UnaryOperator.identity()).trace();

      assertThat(once).isNotEmpty();
      assertThat(Simulation.run(seed, true, UnaryOperator.identity()).trace()).isEqualTo(once);
    }
  }

  @Test
  void theSeedsReachEveryOutcomeAndLimit() {
    Set<Outcome> outcomes = EnumSet.noneOf(Outcome.class);
    Set<Counter> counters =
        // No log is simulated, nor how long a turn takes, nor more clients than have room.
        EnumSet.of(
            Counter.ACCESS_LOG_DROPPED,
            Counter.ACCESS_LOG_FAILED,
            Counter.STOOD_STILL,
            Counter.CLIENT_FORGOTTEN,
            Counter.CLIENT_NOT_TRACKED);
    for (long seed = 0; seed < 500; seed++) {
      Counters counted = Simulation.run(seed, false, UnaryOperator.identity()).counters();
      if (counted != null) {
        for (Outcome outcome : Outcome.values()) {
          if (counted.get(outcome) > 0) {
            outcomes.add(outcome);
          }
        }
        for (Counter counter : Counter.values()) {
          if (counted.get(counter) > 0) {
            counters.add(counter);
          }
        }
      }
    }

    assertThat(outcomes).containsExactlyInAnyOrder(Outcome.values());
    assertThat(counters).containsExactlyInAnyOrder(Counter.values());
  }

  @Test
  void aFailureNamesItsSeedAndHasItsTrace() {
    assertThatThrownBy(
            () -> {
              for (long seed = 0; seed < 500; seed++) {
                Simulation.run(seed, true, Mutation.CONSUMES::of);
              }
            })
        .isInstanceOf(Violation.class)
        .hasMessageMatching("(?s)seed \\d+: .+")
        .satisfies(thrown ->
            assertThat(thrown.getSuppressed()[0]).hasMessageContaining("  epoll_wait epoll"));
  }
}
