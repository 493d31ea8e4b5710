package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Operations that meet each other, step by step: three loops answer when the test says so. */
class OperatorTest {
  private static final int LOOPS = 3;
  private static final long TEN_SECONDS = 10_000_000_000L;

  /** An order that a loop was given, and its answer. */
  private record Given(int loop, Order order, CompletableFuture<Boolean> answer) {}

  private record Later(long nanos, Runnable step) {}

  private final Kernel kernel = LinuxKernel.open();
  private final List<Loop> loops = new ArrayList<>();
  private final Queue<Runnable> due = new ArrayDeque<>();
  private final List<Later> later = new ArrayList<>();
  private final List<Given> given = new ArrayList<>();
  private final List<AccessLog> logs = new ArrayList<>();
  private boolean noThreads;
  private Consumer<List<BackendConfig>> onProbe = backends -> {};
  private long descriptorsBefore;
  private Operator operator;

  private final Steps steps =
      new Steps() {
        @Override
        public void execute(Runnable step) {
          due.add(step);
        }

        @Override
        public Cancellable later(long nanos, Runnable step) {
          Later one = new Later(nanos, step);
          later.add(one);
          return () -> later.remove(one);
        }

        @Override
        public CompletableFuture<Boolean> submit(Loop loop, Order order) {
          Given one = new Given(loops.indexOf(loop), order, new CompletableFuture<>());
          given.add(one);
          return one.answer;
        }
      };

  private final Facilities facilities =
      new Facilities() {
        @Override
        public AccessLog startLog(Loop loop, boolean enabled) throws SystemCallException {
          if (noThreads) {
            throw new SystemCallException("create a thread", Errno.EAGAIN, "");
          }
          AccessLog log = new AccessLog(enabled ? (lines, length, givesUp) -> 0 : null);
          logs.add(log);
          return log;
        }

        @Override
        public void probe(List<BackendConfig> backends) {
          onProbe.accept(backends);
        }
      };

  private static Configuration configuration(int listeners, String backend, boolean log) {
    String more = listeners > 1 ? ", { bind: \"127.0.0.2:0\" }" : "";
    return Tests.configuration(
        """
        threads: %d
        access-log: %s
        listeners: [ { bind: "127.0.0.1:0" }%s ]
        backends: { a: { handoff: "unix:/nowhere/a" }, %s: { handoff: "unix:/nowhere/b" } }
        routes: [ { host: a.example, backend: a } ]
        """
            .formatted(LOOPS, log, more, backend));
  }

  /** What the JDK opens once and keeps must not count. */
  @BeforeAll
  static void warmUp() throws SystemCallException {
    OperatorTest warm = new OperatorTest();
    warm.begin();
    var _ = warm.operator.reload(configuration(2, "c", true));
    warm.answer(false);
    warm.close();
  }

  @BeforeEach
  void begin() throws SystemCallException {
    descriptorsBefore = Tests.openDescriptors();
    for (int i = 0; i < LOOPS; i++) {
      loops.add(new Loop(kernel, Tests.CLOSERS));
    }
    operator = new Operator(kernel, loops, steps, facilities, configuration(1, "b", false));
    var _ = operator.begin(Inherited.NOTHING);
  }

  @AfterEach
  void nothingIsLeft() {
    close();
    assertThat(Tests.openDescriptors()).isEqualTo(descriptorsBefore);
  }

  private void close() {
    for (int i = 0; i < LOOPS; i++) {
      operator.discard(i);
    }
  }

  private void run() {
    for (Runnable step = due.poll(); step != null; step = due.poll()) {
      step.run();
    }
  }

  /** The loops answer what they were given up to now; its orders are returned. */
  private List<Order> answer(boolean done) {
    List<Given> asked = List.copyOf(given);
    given.clear();
    asked.forEach(one -> one.answer.complete(done));
    run();
    return asked.stream().map(Given::order).toList();
  }

  private static void assertRefused(CompletableFuture<?> operation, String why) {
    assertThat(operation).isCompletedExceptionally();
    assertThat(operation.exceptionNow()).isInstanceOf(IOException.class).hasMessageContaining(why);
  }

  @Test
  void whatAProbeFindsOutAtOnceComesToTheLoopsAfterTheSwap() {
    Configuration next = configuration(1, "c", false);
    onProbe = backends -> operator.onHealth(backends.getLast(), 0, false);
    var reloaded = operator.reload(next);

    List<Order> orders = new ArrayList<>(answer(true));
    orders.addAll(answer(true));
    assertThat(orders).hasSize(2 * LOOPS);
    assertThat(orders.subList(0, LOOPS)).allMatch(Order.Swap.class::isInstance);
    assertThat(orders.subList(LOOPS, 2 * LOOPS)).allMatch(Order.Health.class::isInstance);
    assertThat(reloaded).isCompleted();
  }

  @Test
  void operationsTakeTurns() {
    var first = operator.reload(configuration(1, "c", false));
    var drained = operator.drain("c", true);
    var second = operator.reload(configuration(1, "d", false));
    var unknown = operator.drain("c", true);

    assertThat(answer(true)).hasSize(LOOPS).allMatch(Order.Swap.class::isInstance);
    assertThat(first).isCompleted();
    assertThat(answer(true)).hasSize(LOOPS).allMatch(Order.Drain.class::isInstance);
    assertThat(drained).isCompletedWithValue(true);
    assertThat(operator.standing().drained()).containsExactly("c");
    assertThat(answer(true)).hasSize(LOOPS).allMatch(Order.Swap.class::isInstance);
    assertThat(second).isCompleted();
    assertThat(unknown).isCompletedWithValue(false);
    assertThat(operator.standing().drained()).isEmpty();
    assertThat(operator.standing().reloads()).isEqualTo(2);
  }

  @Test
  void aStopInTheMiddleLeavesTheSocketsToWhoHasThem() {
    var reload = operator.reload(configuration(2, "c", true));
    var waiting = operator.drain("a", true);
    operator.stop(kernel);
    long open = Tests.openDescriptors();
    answer(false);

    assertRefused(reload, "stopping");
    assertRefused(waiting, "stopping");
    assertThat(Tests.openDescriptors()).as("the new sockets are closed").isEqualTo(open - LOOPS);
    assertRefused(operator.reload(configuration(1, "c", false)), "stopping");
    assertThat(given).isEmpty();
  }

  @Test
  void aLogThatCannotBeStartedChangesNothing() {
    long open = Tests.openDescriptors();
    noThreads = true;
    var reload = operator.reload(configuration(2, "c", true));

    assertRefused(reload, "create a thread: EAGAIN");
    assertThat(Tests.openDescriptors()).isEqualTo(open);
    assertThat(given).isEmpty();
    noThreads = false;
    var again = operator.reload(configuration(1, "c", true));
    answer(true);
    assertThat(again).isCompleted();
  }

  @Test
  void aLoopThatIsLateIsNotWaitedFor() {
    var status = operator.status();
    given.getFirst().answer.complete(true);
    var turns = operator.turns();
    List<Later> deadlines = List.copyOf(later);
    assertThat(deadlines).hasSize(2 * LOOPS).allMatch(one -> one.nanos == TEN_SECONDS);
    deadlines.forEach(one -> one.step.run());
    run();

    assertThat(status).isCompleted();
    assertThat(turns).isCompletedWithValue(false);
    answer(true);
  }

  @Test
  void duplicatesOfALateLoopAreClosed() {
    var offer = operator.duplicateSockets();
    long open = Tests.openDescriptors();
    for (int i = 0; i < LOOPS; i++) {
      Order order = given.get(i).order;
      order.accept(loops.get(i));
      if (i > 0) {
        given.get(i).answer.complete(true);
      }
    }
    run();
    assertThat(Tests.openDescriptors()).isEqualTo(open + LOOPS);
    List.copyOf(later).forEach(one -> one.step.run());

    assertRefused(offer, "cannot be duplicated");
    answer(true);
    assertThat(Tests.openDescriptors()).isEqualTo(open);
  }

  @Test
  void aHandOverDuringAReloadOffersTheNewSockets() {
    var reload = operator.reload(configuration(2, "c", false));
    var offer = operator.duplicateSockets();
    given.forEach(one -> one.order.accept(loops.get(one.loop)));
    answer(true);
    assertThat(reload).isCompleted();
    assertThat(given).hasSize(LOOPS);
    given.forEach(one -> one.order.accept(loops.get(one.loop)));
    answer(true);

    Map<TransferredSocket, Fd> offered = offer.join();
    assertThat(offered).hasSize(2 * LOOPS);
    offered.keySet().forEach(one -> kernel.close(one.fd()));
    var handed = operator.handOver(Set.of());
    assertThat(answer(true)).hasSize(LOOPS).allMatch(Order.Abandon.class::isInstance);
    assertThat(handed).isCompletedWithValue(true);
    assertThat(given).hasSize(LOOPS).allMatch(one -> one.order instanceof Order.Finish);
    assertRefused(operator.reload(configuration(1, "b", false)), "handed its sockets over");
    answer(true);
  }
}
