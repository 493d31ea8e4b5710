package dev.peekpass.proxy.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class InTurnTest {
  private final TestSockets sockets = new TestSockets(3);
  private final Rotation rotation = new InTurn(3);

  private int next() {
    return rotation.next(sockets, 0, 0);
  }

  private int[] counts(int choices) {
    int[] counts = new int[3];
    for (int i = 0; i < choices; i++) {
      counts[next()]++;
    }
    return counts;
  }

  @Test
  void thoseThatHaveNothingToDoTakeTurns() {
    assertThat(new int[] {next(), next(), next(), next()}).containsExactly(0, 1, 2, 0);
  }

  @Test
  void whoMayNotTakeIsLeftOutAndComesBack() {
    sockets.mayTake[1] = false;
    assertThat(new int[] {next(), next(), next()}).containsExactly(0, 2, 0);
    sockets.mayTake[1] = true;
    assertThat(next()).isOne();
  }

  @Test
  void withoutAnyThereIsNone() {
    sockets.mayTake = new boolean[3];
    assertThat(next()).isEqualTo(Rotation.NONE);
  }

  @Test
  void whoHasLessToDoComesFirst() {
    sockets.busy = new long[] {7, 5, 6};
    assertThat(new int[] {next(), next()}).containsExactly(1, 1);
    sockets.busy[1] = 6;
    assertThat(new int[] {next(), next(), next()}).containsExactly(2, 1, 2);
  }

  @Test
  void asksNoMoreThanItMust() {
    next();
    assertThat(sockets.asked).isOne();
  }

  @Test
  void aShareIsAPartOfWhatItWouldGet() {
    sockets.share[2] = 250;
    assertThat(counts(900)).containsExactly(400, 400, 100);
    sockets.share[2] = 1000;
    assertThat(counts(900)).containsExactly(300, 300, 300);
  }

  @Test
  void aShareIsAPartOfItAlsoWhereTheOthersAreBusy() {
    sockets.busy = new long[] {500, 500, 0};
    sockets.share[2] = 100;
    assertThat(counts(1000)[2]).isEqualTo(100);
  }

  @Test
  void whereAllStartSlowlySomebodyIsChosen() {
    sockets.share = new int[] {1, 1, 1};
    assertThat(counts(300)).containsExactly(100, 100, 100);
  }
}
