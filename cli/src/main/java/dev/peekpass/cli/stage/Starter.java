package dev.peekpass.cli.stage;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A thread that stays who started this process, for what only that one may do when the others have
 * given that up. execve(2) ends it.
 */
final class Starter {
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("starter").factory());

  private Starter() {}

  /** Starts it, as who the calling thread is. */
  static Starter start() {
    Starter starter = new Starter();
    // The kernel copies that from the thread that makes it: it must be there before it is needed.
    starter.run(() -> {});
    return starter;
  }

  /** Does something there, and waits for it. */
  void run(Runnable task) {
    try {
      thread.submit(task).get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("as who started", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted before it served", e);
    }
  }
}
