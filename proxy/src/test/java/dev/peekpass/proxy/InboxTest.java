package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.turn.Turn;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every task has an answer, whatever becomes of the loop. */
class InboxTest {
  private final Kernel kernel = LinuxKernel.open();
  private final Turn turn = turn();
  private final Inbox inbox = inbox();

  private Turn turn() {
    try {
      return new Turn(kernel, Tests.CLOSERS);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private Inbox inbox() {
    try {
      return new Inbox(turn);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @AfterEach
  void close() {
    inbox.close();
    turn.close();
  }

  @Test
  void aTaskWakesTheLoopAndIsDone() {
    CompletableFuture<Boolean> done = inbox.submit(kernel, () -> {});
    assertThat(turn.await()).isOne();
    inbox.run();

    assertThat(done).isCompletedWithValue(true);
  }

  @Test
  void aFaultInATaskIsItsAnswer() {
    CompletableFuture<Boolean> failed =
        inbox.submit(
            kernel,
            () -> {
              throw new IllegalStateException("a fault");
            });
    CompletableFuture<Boolean> next = inbox.submit(kernel, () -> {});
    inbox.run();

    assertThat(failed.exceptionNow()).isInstanceOf(IllegalStateException.class);
    assertThat(next).isCompletedWithValue(true);
    assertThat(ErrorLog.take()).hasSize(1);
  }

  @Test
  void anErrorInATaskIsItsAnswerAndThenTheLoops() {
    CompletableFuture<Boolean> failed =
        inbox.submit(
            kernel,
            () -> {
              throw new NoClassDefFoundError("gone");
            });
    CompletableFuture<Boolean> next = inbox.submit(kernel, () -> {});

    assertThatThrownBy(inbox::run).isInstanceOf(NoClassDefFoundError.class);
    assertThat(failed.exceptionNow()).isInstanceOf(NoClassDefFoundError.class);
    inbox.close();
    assertThat(next).isCompletedWithValue(false);
  }

  @Test
  void afterAStopNothingIsDoneAnyMore() {
    boolean[] ran = new boolean[1];
    CompletableFuture<Boolean> late = inbox.submit(kernel, () -> ran[0] = true);
    inbox.stop(kernel);
    inbox.run();

    assertThat(inbox.isStopRequested()).isTrue();
    assertThat(late).isCompletedWithValue(false);
    assertThat(ran[0]).isFalse();
  }

  @Test
  void whatComesTooLateIsAnsweredAtOnce() {
    CompletableFuture<Boolean> before = inbox.submit(kernel, () -> {});
    inbox.close();

    assertThat(before).isCompletedWithValue(false);
    assertThat(inbox.submit(kernel, () -> {})).isCompletedWithValue(false);
    inbox.stop(kernel);
    assertThat(inbox.isStopRequested()).isTrue();
  }
}
