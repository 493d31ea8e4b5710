package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DeadlinesTest {
  // Close to where nanoTime wraps around, which is any time.
  private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 500);
  private final Deadlines deadlines = new Deadlines(nanos::get);
  private final AtomicInteger closed = new AtomicInteger();

  @AfterEach
  void close() {
    deadlines.close();
  }

  @Test
  void closesWhenTimeIsUpAndOnlyOnce() {
    Deadlines.Deadline deadline = deadlines.watch(closed::incrementAndGet, Duration.ofNanos(1000));
    nanos.addAndGet(999);
    deadlines.sweep();
    assertThat(closed).hasValue(0);
    assertThat(deadline.passed()).isFalse();
    nanos.addAndGet(1);
    deadlines.sweep();
    deadlines.sweep();
    assertThat(closed).hasValue(1);
    assertThat(deadline.passed()).isTrue();
  }

  @Test
  void progressMovesTheDeadline() {
    Deadlines.Deadline deadline = deadlines.watch(closed::incrementAndGet, Duration.ofNanos(1000));
    nanos.addAndGet(900);
    deadline.in(Duration.ofNanos(1000));
    nanos.addAndGet(900);
    deadlines.sweep();
    assertThat(closed).hasValue(0);
  }

  @Test
  void whatIsClosedIsNotWatched() {
    deadlines.watch(closed::incrementAndGet, Duration.ofNanos(1)).close();
    nanos.addAndGet(2);
    deadlines.sweep();
    assertThat(closed).hasValue(0);
  }

  @Test
  void oneFailingCloseDoesNotSpareTheOthers() {
    for (int i = 0; i < 3; i++) {
      deadlines.watch(
          () -> {
            closed.incrementAndGet();
            throw new IOException("cannot close");
          },
          Duration.ofNanos(1));
    }
    nanos.addAndGet(2);
    deadlines.sweep();
    assertThat(closed).hasValue(3);
  }
}
