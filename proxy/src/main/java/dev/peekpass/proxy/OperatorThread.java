package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one thread that a proxy's {@link Operator} runs on, and the waiting for it. */
final class OperatorThread implements Steps {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  /** How long a caller waits: for the operations before, and then for the loops. */
  private static final long ANSWER_SECONDS = 30;

  private static final long END_SECONDS = 1;

  private final Kernel kernel;
  private final ScheduledThreadPoolExecutor thread;

  /** What somebody may wait for: nobody is left without a result when the thread ends. */
  private final Map<Object, CompletableFuture<?>> open = new ConcurrentHashMap<>();

  private volatile boolean over;

  /**
   * Starts the thread.
   *
   * @param kernel used by the thread alone, once it runs steps
   * @throws OutOfMemoryError when there can be no such thread
   */
  OperatorThread(Kernel kernel) {
    this.kernel = kernel;
    thread =
        new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().name("operator").daemon().unstarted(task));
    thread.setRemoveOnCancelPolicy(true);
    thread.prestartCoreThread();
  }

  @Override
  public void execute(Runnable step) {
    thread.execute(() -> run(step));
  }

  @Override
  public Cancellable later(long nanos, Runnable step) {
    Future<?> planned = thread.schedule(() -> run(step), nanos, TimeUnit.NANOSECONDS);
    return () -> planned.cancel(false);
  }

  /** Does a step again and again, with such a pause between, until it ends. */
  void repeat(long pauseNanos, Runnable step) {
    var _ =
        thread.scheduleWithFixedDelay(
            () -> run(step), pauseNanos, pauseNanos, TimeUnit.NANOSECONDS);
  }

  @Override
  public CompletableFuture<Boolean> submit(Loop loop, Order order) {
    return loop.submit(kernel, () -> order.accept(loop));
  }

  private static void run(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      LOG.error("a step of an operation failed: this is a fault in Peekpass", e);
    }
  }

  /** Has an operation begun on the thread; it fails when the thread has ended. */
  <T> CompletableFuture<T> begin(Supplier<CompletableFuture<T>> operation) {
    CompletableFuture<T> result = new CompletableFuture<>();
    Object key = new Object();
    open.put(key, result);
    var _ = result.whenComplete((value, failure) -> open.remove(key));
    try {
      thread.execute(() -> begin(operation, result));
    } catch (RejectedExecutionException e) {
      result.completeExceptionally(ended());
    }
    if (over) {
      result.completeExceptionally(ended());
    }
    return result;
  }

  private static IOException ended() {
    return new IOException("the proxy has ended");
  }

  private static <T> void begin(
      Supplier<CompletableFuture<T>> operation, CompletableFuture<T> result) {
    try {
      var _ =
          operation
              .get()
              .whenComplete((value, failure) -> {
                if (failure == null) {
                  result.complete(value);
                } else {
                  result.completeExceptionally(failure);
                }
              });
    } catch (RuntimeException | Error e) {
      result.completeExceptionally(e);
    }
  }

  /**
   * Waits for an operation, not for ever.
   *
   * @throws IOException when it is refused or has failed, or has no result yet; then it may still
   *     be done
   */
  static <T> T await(CompletableFuture<T> operation) throws IOException {
    try {
      return operation.get(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw failure(e.getCause());
    } catch (TimeoutException e) {
      throw new IOException(
          "no answer within " + ANSWER_SECONDS + " s: it may still be done; look at the status", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for the loops");
    }
  }

  private static IOException failure(@Nullable Throwable cause) {
    return switch (cause) {
      case null -> new IOException("failed");
      case IOException known -> known;
      case Error error -> throw error;
      case RuntimeException fault -> throw fault;
      default -> new IOException(cause);
    };
  }

  /** Ends, once the steps that are there are run or a moment has passed; may be called again. */
  void end() throws InterruptedException {
    over = true;
    try {
      thread.submit(() -> {}).get(END_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
      LOG.debug("the operator's last step", e);
    }
    discard();
  }

  /** Ends at once; what has no result fails. */
  void discard() {
    over = true;
    thread.shutdownNow();
    open.values().forEach(one -> one.completeExceptionally(ended()));
  }
}
