package dev.peekpass.proxy.turn;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BurstTest {
  private final Burst burst = new Burst();

  private int looks(int chances, int count) {
    return looks(1, chances, count);
  }

  /** Has chances go by; returns how many looks were taken, each of which finds so many. */
  private int looks(int spared, int chances, int count) {
    int looks = 0;
    for (int i = 0; i < chances; i++) {
      if (burst.isWorthLooking(spared)) {
        burst.saw(count);
        looks++;
      }
    }
    return looks;
  }

  @Test
  void looksAtFirstSinceItKnowsNothing() {
    assertThat(burst.isWorthLooking(1)).isTrue();
  }

  @Test
  void looksEachTimeWhileTwoOrMoreAreFound() {
    assertThat(looks(100, 2)).isEqualTo(100);
    assertThat(looks(100, 64)).isEqualTo(100);
  }

  @Test
  void looksForFewerWhereEachSparesMoreCalls() {
    burst.saw(1);
    assertThat(burst.isWorthLooking(1)).isFalse();
    assertThat(burst.isWorthLooking(2)).isTrue();

    looks(8, 100, 1);
    assertThat(burst.isWorthLooking(8)).isFalse();
  }

  @Test
  void looksOnceInSixteenTimesWhereOneIsFound() {
    looks(100, 1);

    assertThat(looks(16 * (Burst.MOST_SKIPPED + 1), 1)).isEqualTo(16);
  }

  @Test
  void noticesWithinSixteenChancesThatManyCome() {
    looks(100, 1);

    looks(Burst.MOST_SKIPPED + 1, 8);

    assertThat(looks(10, 8)).isEqualTo(10);
  }

  @Test
  void forgetsABurstSoon() {
    looks(100, 64);

    assertThat(looks(100, 1)).isBetween(10, 25);
  }
}
