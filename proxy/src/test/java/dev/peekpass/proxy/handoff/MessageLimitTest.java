package dev.peekpass.proxy.handoff;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MessageLimitTest {
  private static final long SECOND = 1_000_000_000L;

  private final MessageLimit limit = new MessageLimit(64);

  @Test
  void aShortageThatPassesMakesMessagesSmallerForAWhile() {
    assertThat(limit.at(0)).isEqualTo(64);
    assertThat(limit.refused(64, 0)).isEqualTo(32);
    assertThat(limit.refused(32, 0)).isEqualTo(16);

    assertThat(limit.at(SECOND - 1)).isEqualTo(16);
    assertThat(limit.at(SECOND)).isEqualTo(32);
    assertThat(limit.at(SECOND)).isEqualTo(32);
    assertThat(limit.at(2 * SECOND)).isEqualTo(64);
    assertThat(limit.at(100 * SECOND)).isEqualTo(64);
  }

  @Test
  void itEndsWithMessagesOfOne() {
    assertThat(limit.refused(1, 0)).isEqualTo(1);
    assertThat(limit.refused(3, 0)).isEqualTo(1);
  }

  @Test
  void aNewReceiverBeginsAnew() {
    limit.refused(64, 0);
    limit.want(8);

    assertThat(limit.at(0)).isEqualTo(8);
    assertThat(limit.at(10 * SECOND)).isEqualTo(8);
  }
}
