package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** What is left behind is collected when it is much, whoever has left it. */
class GarbageTest {
  private static final long MIB = 1 << 20;

  private final AtomicLong used = new AtomicLong(8 * MIB);
  private final AtomicInteger collections = new AtomicInteger();
  private final Garbage garbage =
      new Garbage(
          used::get,
          () -> {
            collections.incrementAndGet();
            used.set(10 * MIB);
          });

  @Test
  void littleIsLetBe() {
    used.set(39 * MIB);
    garbage.collectIfMuch();
    assertThat(collections).hasValue(0);
  }

  @Test
  void muchIsCollectedAsOftenAsItComes() {
    for (int wave = 1; wave <= 100; wave++) {
      used.addAndGet(34 * MIB);
      garbage.collectIfMuch();
      garbage.collectIfMuch();
      assertThat(collections).hasValue(wave);
    }
  }

  @Test
  void whatIsAliveIsNotLookedThroughForNothing() {
    used.set(500 * MIB);
    Garbage large = new Garbage(used::get, collections::incrementAndGet);
    used.set(900 * MIB);
    large.collectIfMuch();
    assertThat(collections).hasValue(0);
    used.set(1000 * MIB);
    large.collectIfMuch();
    assertThat(collections).hasValue(1);
  }

  /** A proxy looks by itself: what clients leave is told by nobody. */
  @Test
  void itIsLookedForAgainAndAgainWhateverGoesWrong() throws InterruptedException {
    OperatorThread thread = new OperatorThread(LinuxKernel.open());
    try {
      thread.repeat(
          1_000_000,
          () -> {
            if (collections.incrementAndGet() == 1) {
              throw new IllegalStateException("once");
            }
          });
      Tests.await("it has looked three times", () -> collections.get() >= 3);
    } finally {
      thread.end();
    }
  }
}
