package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class OperationQueueTest {
  private final OperationQueue queue = new OperationQueue();
  private final List<String> begun = new ArrayList<>();

  private CompletableFuture<String> add(String name, CompletableFuture<String> outcome) {
    return queue.offer(() -> {
      begun.add(name);
      return outcome;
    });
  }

  @Test
  void oneBeginsWhenTheOneBeforeHasItsResult() {
    CompletableFuture<String> first = new CompletableFuture<>();
    CompletableFuture<String> second = new CompletableFuture<>();
    CompletableFuture<String> a = add("a", first);
    CompletableFuture<String> b = add("b", second);
    assertThat(begun).containsExactly("a");

    first.complete("done");
    assertThat(a).isCompletedWithValue("done");
    assertThat(begun).containsExactly("a", "b");
    assertThat(b).isNotDone();
    second.complete("done too");
    assertThat(b).isCompletedWithValue("done too");
  }

  @Test
  void oneThatFailsOrIsRefusedIsInNobodysWay() {
    CompletableFuture<String> refused =
        queue.offer(() -> {
          throw new IOException("not now");
        });
    CompletableFuture<String> fault =
        queue.offer(() -> {
          throw new NoClassDefFoundError("gone");
        });
    CompletableFuture<String> failed =
        add("late", CompletableFuture.failedFuture(new IOException("too late")));
    CompletableFuture<String> good = add("good", CompletableFuture.completedFuture("done"));

    assertThat(refused.exceptionNow()).isInstanceOf(IOException.class).hasMessage("not now");
    assertThat(fault.exceptionNow()).isInstanceOf(NoClassDefFoundError.class);
    assertThat(failed.exceptionNow()).isInstanceOf(IOException.class).hasMessage("too late");
    assertThat(good).isCompletedWithValue("done");
  }

  @Test
  void onlySoManyWait() {
    CompletableFuture<String> first = new CompletableFuture<>();
    for (int i = 0; i <= OperationQueue.MAX_WAITING; i++) {
      assertThat(add("one", first)).isNotDone();
    }

    assertThat(add("too many", first).exceptionNow()).isInstanceOf(IOException.class);
    assertThat(queue.add(() -> first)).isNotDone();
    first.complete("done");
    assertThat(begun).hasSize(OperationQueue.MAX_WAITING + 1).doesNotContain("too many");
  }
}
