package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.Violation;
import dev.peekpass.simulation.World;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * What is done to a running loop on behalf of whoever operates it, planned in a world: reload,
 * drain, takeover, stop. The {@link Operator} that does it is the real one; its steps happen
 * between, and in the middle of, what the loop and the world do.
 */
final class OperationPlan {
  private static final long HAND_OVER_NANOS = 50_000_000;
  private static final long PROMPT_NANOS = 20_000;
  private static final long SLOW_NANOS = 30_000_000;

  /**
   * A configuration, and whether each of its two routes goes to the other's backend.
   *
   * @param configuration what it says
   */
  record Plan(Configuration configuration, boolean swapped) {}

  private final World world;
  private final SimulatedKernel kernel;
  private final Witness witness;
  private final Consumer<List<SocketPlan.Assigned>> onNewListeners;
  private final SimulatedSteps steps = new SimulatedSteps();
  private final Operator operator;

  /** Every configuration that was made up, as what the loop gets. */
  private final IdentityHashMap<Configuration, Plan> plans = new IdentityHashMap<>();

  private final Set<TcpListener> known = new HashSet<>();
  private final List<CompletableFuture<?>> asked = new ArrayList<>();

  /** What the loop goes by. */
  private Configuration latest;

  /** From the offer of the sockets on nothing else is done: the admin socket sees to it. */
  private boolean offering;

  private boolean handedOver;
  private boolean stopped;

  /**
   * Begins with a loop that does not run yet, and binds its sockets.
   *
   * @param onNewListeners is told of sockets that were opened
   */
  OperationPlan(
      World world,
      SimulatedKernel kernel,
      Loop loop,
      Witness witness,
      Plan first,
      Consumer<List<SocketPlan.Assigned>> onNewListeners)
      throws SystemCallException {
    this.world = world;
    this.kernel = kernel;
    this.witness = witness;
    this.onNewListeners = onNewListeners;
    operator = new Operator(kernel, List.of(loop), steps, new Nothing(), first.configuration());
    latest = first.configuration();
    plans.put(first.configuration(), first);
    tell(first.configuration(), operator.begin(Inherited.NOTHING).ofLoop(0));
  }

  /** What an operator needs of its process, where there is no log and nothing is probed. */
  private static final class Nothing implements Facilities {
    @Override
    public AccessLog startLog(Loop loop, boolean enabled) {
      return new AccessLog(null);
    }

    @Override
    public void probe(List<BackendConfig> backends) {
      // Nobody is asked.
    }
  }

  /** The operator's thread: sometimes it is slow, and never does it two things at once. */
  private final class SimulatedSteps implements Steps {
    private final Queue<Runnable> due = new ArrayDeque<>();
    private boolean running;

    @Override
    public void execute(Runnable step) {
      due.add(step);
      long delay =
          world.chance().hits(9000)
              ? world.chance().below(PROMPT_NANOS)
              : world.chance().below(SLOW_NANOS);
      world.after(delay, "operator", "goes on", this::runFirst);
    }

    /** In the order in which they came, as a thread does. */
    private void runFirst() {
      Runnable first = due.poll();
      if (first != null) {
        run(first);
      }
    }

    private void run(Runnable step) {
      if (running) {
        throw new Violation("two steps of the operator at once");
      }
      running = true;
      try {
        kernel.outside(step);
      } finally {
        running = false;
      }
    }

    @Override
    public Cancellable later(long nanos, Runnable step) {
      boolean[] cancelled = new boolean[1];
      world.after(
          nanos,
          "operator",
          "looks at the time",
          () -> {
            if (!cancelled[0] && !stopped) {
              execute(step);
            }
          });
      return () -> cancelled[0] = true;
    }

    @Override
    public CompletableFuture<Boolean> submit(Loop to, Order order) {
      return to.submit(
          kernel,
          () -> {
            if (order instanceof Order.Health health && health.healthy()) {
              tell(order); // what waits goes there at once
            }
            order.accept(to);
            tell(order);
          });
    }

    /** Lets the thread do what it has still to do. */
    void finish() {
      while (!due.isEmpty()) {
        runFirst();
      }
    }
  }

  /** Tells the witness what the loop goes by from now on. */
  private void tell(Order order) {
    switch (order) {
      case Order.Swap swap -> tell(swap.configuration(), swap.sockets());
      case Order.Drain drain -> witness.onDrained(drain.backend(), drain.on());
      case Order.Health health -> tell(health);
      default -> {
        // Nothing that connections go by.
      }
    }
  }

  private void tell(Order.Health health) {
    BackendConfig backend = health.backend();
    if (latest.backends().stream().anyMatch(backend::isSameAs)) {
      witness.onHealth(backend.socketPaths().get(health.socket()), health.healthy());
    }
  }

  private void tell(Configuration configuration, List<SocketPlan.Assigned> assigned) {
    Map<TcpListener, ListenerConfig> sockets = new LinkedHashMap<>();
    List<SocketPlan.Assigned> fresh = new ArrayList<>();
    for (SocketPlan.Assigned one : assigned) {
      TcpListener listener = kernel.listener(one.socket().fd());
      sockets.put(listener, one.config());
      if (known.add(listener)) {
        fresh.add(one);
      }
    }
    latest = configuration;
    Plan plan = plans.get(configuration);
    witness.onConfiguration(configuration, plan != null && plan.swapped(), sockets);
    onNewListeners.accept(fresh);
  }

  /** Plans that it does something at a time. */
  void plan(long nanos, String what, Runnable action) {
    world.after(nanos, "operator", what, action);
  }

  /** Has the operator do something; what it refuses is refused. */
  private <T> CompletableFuture<T> ask(Supplier<CompletableFuture<T>> operation) {
    CompletableFuture<T> result = new CompletableFuture<>();
    asked.add(result);
    steps.execute(() -> {
      var _ =
          operation
              .get()
              .whenComplete((value, failure) -> {
                if (failure == null) {
                  result.complete(value);
                } else {
                  world.note("operator: refused: " + failure.getMessage());
                  result.completeExceptionally(failure);
                }
              });
    });
    return result;
  }

  /**
   * The loop has ended: lets the operator end.
   *
   * @throws Violation when something that it was asked has no result, or one that cannot be
   */
  void end() {
    steps.finish();
    for (CompletableFuture<?> one : asked) {
      if (!one.isDone()) {
        throw new Violation("an operation has no result");
      }
      if (one.isCompletedExceptionally() && !(one.exceptionNow() instanceof IOException)) {
        throw new Violation("an operation failed on a fault: " + one.exceptionNow());
      }
    }
  }

  /** Goes over to another configuration. */
  void reload(Plan next) {
    if (!offering) {
      plans.put(next.configuration(), next);
      var _ = ask(() -> operator.reload(next.configuration()));
    }
  }

  /** Lets a backend get no new connections, or get them again. */
  void drain(String backend, boolean on) {
    if (!offering) {
      var _ = ask(() -> operator.drain(backend, on));
    }
  }

  /**
   * Says what a probe has found out about a socket, if it is probed: any of the latest backends.
   */
  void probe(int backend, int socket, boolean healthy) {
    BackendConfig of = latest.backends().get(backend);
    if (!offering && of.probe().isPresent() && socket < of.socketPaths().size()) {
      steps.execute(() -> operator.onHealth(of, socket, healthy));
    }
  }

  /**
   * Gives the listening sockets to another process, which accepts from then on.
   *
   * @param wanted how many of them, at most, the other listens on
   */
  void handOver(int wanted) {
    if (offering) {
      return;
    }
    offering = true;
    var _ =
        ask(operator::duplicateSockets)
            .whenComplete((duplicates, failure) -> {
              if (failure == null) {
                take(duplicates, wanted);
              } else {
                offering = false;
              }
            });
  }

  private void take(Map<TransferredSocket, Fd> duplicates, int wanted) {
    Set<Fd> unwanted = new HashSet<>();
    duplicates.forEach((duplicate, socket) -> {
      if (unwanted.size() + wanted < duplicates.size()) {
        unwanted.add(socket);
      } else {
        kernel.listener(duplicate.fd()).share();
      }
      kernel.close(duplicate.fd());
    });
    plan(
        world.chance().below(HAND_OVER_NANOS),
        "has been taken over",
        () -> {
          var _ = ask(() -> operator.handOver(unwanted)).thenAccept(done -> handedOver = true);
        });
  }

  /** Whether another process has the sockets, so that the loop ends by itself. */
  boolean hasHandedOver() {
    return handedOver;
  }

  /** Stops the loop. */
  void stop() {
    stopped = true;
    witness.onStop();
    operator.stop(kernel);
  }
}
