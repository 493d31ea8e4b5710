package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.simulation.Violation;
import java.util.function.UnaryOperator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The simulation finds what it is there for. */
class MutationTest {
  private static final long SEEDS = 20_000;

  @ParameterizedTest
  @EnumSource
  void aLoopWithAFaultIsFound(Mutation mutation) {
    boolean found = false;
    for (long seed = 0; seed < SEEDS && !found; seed++) {
      try {
        Simulation.run(seed, false, mutation::of);
      } catch (Violation violation) {
        found = String.valueOf(violation.getMessage()).contains(mutation.found) && isWell(seed);
      }
    }

    assertThat(found).as("a violation with: %s", mutation.found).isTrue();
  }

  /** Whether nothing is found at a seed without the fault, so that it is the fault's doing. */
  private static boolean isWell(long seed) {
    try {
      Simulation.run(seed, false, UnaryOperator.identity());
      return true;
    } catch (Violation other) {
      return false;
    }
  }
}
