package dev.peekpass.proxy.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class SlowStartTest {
  @Test
  void theShareGrowsWithTimeOnceASocketHasComeBack() {
    SlowStart start = new SlowStart(1_000_000);
    assertThat(start.share(5)).isEqualTo(Rotation.WHOLE);
    start.begin(10_000_000);
    assertThat(start.share(10_000_000)).isEqualTo(SlowStart.LEAST);
    assertThat(start.share(10_250_000)).isEqualTo(250);
    assertThat(start.share(10_999_000)).isEqualTo(999);
    assertThat(start.share(11_000_000)).isEqualTo(Rotation.WHOLE);
    start.begin(12_000_000);
    assertThat(start.share(12_500_000)).isEqualTo(500);
  }

  @Test
  void withoutAPeriodItIsWholeAtOnce() {
    SlowStart start = new SlowStart(0);
    start.begin(7);
    assertThat(start.share(7)).isEqualTo(Rotation.WHOLE);
  }
}
