package dev.peekpass.proxy;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gives loops orders, and brings their answers back in steps, late or not. */
final class Orders {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  /** How long a loop is given to do what it is asked; it turns within microseconds. */
  private static final long ANSWER_NANOS = 10_000_000_000L;

  /** How a loop has answered an order. */
  enum Reply {
    DONE,
    /** It has not done it and will not, since it stops or has ended. */
    ENDED,
    /** It has done it in part: a fault in Peekpass. */
    FAILED,
    /** It has not answered in time, and may still do it. */
    LATE
  }

  /** Gets how a loop has answered in the end, never late. */
  interface Onward {
    /** Called in a step, before the answers are looked at if it is in time. */
    void answered(int loop, Reply answer);
  }

  private final Steps steps;
  private final List<Loop> loops;

  Orders(Steps steps, List<Loop> loops) {
    this.steps = steps;
    this.loops = loops;
  }

  /** Gives every loop an order, one as soon as the other; completes with all answers, in time. */
  CompletableFuture<List<Reply>> each(IntFunction<? extends Order> order, Onward onward) {
    List<CompletableFuture<Reply>> answers =
        IntStream.range(0, loops.size()).mapToObj(i -> give(i, order.apply(i), onward)).toList();
    return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
        .thenApply(all -> answers.stream().map(CompletableFuture::join).toList());
  }

  /** Gives every loop the same order. */
  CompletableFuture<List<Reply>> all(Order order) {
    return each(loop -> order, (loop, answer) -> {});
  }

  /** Gives one loop an order. */
  CompletableFuture<Reply> one(int loop, Order order) {
    return give(loop, order, (to, answer) -> {});
  }

  private CompletableFuture<Reply> give(int loop, Order order, Onward onward) {
    CompletableFuture<Reply> answer = new CompletableFuture<>();
    Steps.Cancellable deadline =
        steps.later(
            ANSWER_NANOS,
            () -> {
              if (answer.complete(Reply.LATE)) {
                LOG.warn("a loop has not done within 10 s what it was asked, and may yet");
              }
            });
    var _ =
        steps
            .submit(loops.get(loop), order)
            .whenComplete((done, failure) -> {
              Reply how = failure != null ? Reply.FAILED : done ? Reply.DONE : Reply.ENDED;
              steps.execute(() -> {
                deadline.cancel();
                onward.answered(loop, how);
                answer.complete(how);
              });
            });
    return answer;
  }
}
