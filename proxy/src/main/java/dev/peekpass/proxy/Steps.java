package dev.peekpass.proxy;

import java.util.concurrent.CompletableFuture;

/** Where an {@link Operator} runs, one step at a time, and how it reaches the loops. */
interface Steps {
  /** What is planned and may be given up. */
  interface Cancellable {
    /** Gives it up, if it is not done yet. */
    void cancel();
  }

  /** Has a step run after those that are there. May be called by any thread. */
  void execute(Runnable step);

  /** Has a step run after a time, and after those that are there then. */
  Cancellable later(long nanos, Runnable step);

  /**
   * Has a loop's thread carry out an order, after those that it has.
   *
   * @return completed by any thread, see {@link Loop#submit}
   */
  CompletableFuture<Boolean> submit(Loop loop, Order order);
}
