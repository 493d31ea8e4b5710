package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.simulation.Violation;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The simulation finds what it is there for. */
class MutationTest {
  private static final long SEEDS = 2_000;

  @ParameterizedTest
  @EnumSource
  void aLoopWithAFaultIsFound(Mutation mutation) {
    boolean found = false;
    for (long seed = 0; seed < SEEDS && !found; seed++) {
      try {
        Simulation.run(seed, false, mutation::of);
      } catch (Violation violation) {
        found = String.valueOf(violation.getMessage()).contains(mutation.found);
      }
    }

    assertThat(found).as("a violation with: %s", mutation.found).isTrue();
  }
}
