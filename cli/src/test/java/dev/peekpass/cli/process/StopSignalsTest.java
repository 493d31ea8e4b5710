package dev.peekpass.cli.process;

import static dev.peekpass.cli.process.StopSignals.Request.END_AT_ONCE;
import static dev.peekpass.cli.process.StopSignals.Request.NOTHING;
import static dev.peekpass.cli.process.StopSignals.Request.STOP;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StopSignalsTest {
  private static final long START = -StopSignals.SAME_NANOS / 2;
  private static final long SOON = START + StopSignals.SAME_NANOS - 1;
  private static final long LATER = START + StopSignals.SAME_NANOS;

  private final StopSignals signals = new StopSignals();

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void terminationsTogetherAreOneAndALaterOneEndsIt(boolean interrupt) {
    assertThat(signals.received(interrupt, START)).isEqualTo(STOP);
    assertThat(signals.received(false, START)).isEqualTo(NOTHING);
    assertThat(signals.received(false, SOON)).isEqualTo(NOTHING);
    assertThat(signals.received(false, LATER)).isEqualTo(END_AT_ONCE);
  }

  @Test
  void anInterruptBesideATerminationIsTheSameRequest() {
    assertThat(signals.received(false, START)).isEqualTo(STOP);
    assertThat(signals.received(true, SOON)).isEqualTo(NOTHING);
    assertThat(signals.received(true, SOON)).isEqualTo(END_AT_ONCE);
  }

  @Test
  void aLaterInterruptEndsIt() {
    assertThat(signals.received(false, START)).isEqualTo(STOP);
    assertThat(signals.received(true, LATER)).isEqualTo(END_AT_ONCE);
  }

  @Test
  void aSecondInterruptEndsItHoweverSoon() {
    assertThat(signals.received(true, START)).isEqualTo(STOP);
    assertThat(signals.received(true, START)).isEqualTo(END_AT_ONCE);
  }
}
