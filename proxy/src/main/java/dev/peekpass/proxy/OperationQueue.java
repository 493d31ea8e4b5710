package dev.peekpass.proxy;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Operations one after another: the next begins when the one before has its result. Used by one
 * thread at a time.
 */
final class OperationQueue {
  /** How many may wait; who asks for more is told to come again. */
  static final int MAX_WAITING = 64;

  /** What begins an operation. */
  interface Begin<T> {
    /**
     * Begins it.
     *
     * @return completed where the queue is used
     * @throws IOException when it is not begun, which is its result then
     */
    CompletableFuture<T> begin() throws IOException;
  }

  private record Operation<T>(Begin<T> begin, CompletableFuture<T> result) {
    CompletableFuture<T> run() {
      try {
        return begin.begin();
      } catch (IOException | RuntimeException | Error e) {
        return CompletableFuture.failedFuture(e);
      }
    }
  }

  private final ArrayDeque<Operation<?>> waiting = new ArrayDeque<>();
  private @Nullable Operation<?> current;

  /** Has an operation done in its turn; fails when too many wait already. */
  <T> CompletableFuture<T> offer(Begin<T> begin) {
    return waiting.size() < MAX_WAITING
        ? add(begin)
        : CompletableFuture.failedFuture(
            new IOException(MAX_WAITING + " operations wait already: try again in a moment"));
  }

  /** Has an operation done in its turn, however many wait. */
  <T> CompletableFuture<T> add(Begin<T> begin) {
    Operation<T> operation = new Operation<>(begin, new CompletableFuture<>());
    waiting.add(operation);
    next();
    return operation.result;
  }

  private void next() {
    Operation<?> next = current == null ? waiting.poll() : null;
    if (next != null) {
      current = next;
      begin(next);
    }
  }

  private <T> void begin(Operation<T> operation) {
    var _ =
        operation
            .run()
            .whenComplete((value, failure) -> {
              current = null;
              if (failure == null) {
                operation.result.complete(value);
              } else {
                operation.result.completeExceptionally(failure);
              }
              next();
            });
  }
}
