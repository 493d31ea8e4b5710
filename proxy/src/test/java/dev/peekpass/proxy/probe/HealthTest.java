package dev.peekpass.proxy.probe;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class HealthTest {
  @Test
  void onlyARowOfAnswersChangesIt() {
    Health health = new Health(2, 3);
    assertThat(health.isHealthy()).isTrue();
    assertThat(health.record(false)).isFalse();
    assertThat(health.record(false)).isFalse();
    assertThat(health.record(true)).isFalse();
    assertThat(health.record(false)).isFalse();
    assertThat(health.record(false)).isFalse();
    assertThat(health.record(false)).isTrue();
    assertThat(health.isHealthy()).isFalse();

    assertThat(health.record(true)).isFalse();
    assertThat(health.record(false)).isFalse();
    assertThat(health.record(true)).isFalse();
    assertThat(health.record(true)).isTrue();
    assertThat(health.isHealthy()).isTrue();
  }
}
