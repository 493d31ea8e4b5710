package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
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
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Does to a running loop what a {@link Proxy} does on behalf of whoever operates it: reload, drain,
 * takeover, stop. A proxy does it from threads of its own, and waits for the loop; here it is done
 * in steps, between which the loop and the world go on.
 */
final class Operator {
  /** How long a socket that is no longer wanted takes what had begun, as in {@link Proxy}. */
  private static final long CLOSING_NANOS = 2_500_000_000L;

  private static final long AGAIN_NANOS = 1_000_000;
  private static final long HAND_OVER_NANOS = 50_000_000;

  /**
   * A configuration, and whether each of its two routes goes to the other's backend.
   *
   * @param configuration what it says
   */
  record Plan(Configuration configuration, boolean swapped) {}

  /** A socket that takes what had begun; each time that one does is another. */
  private static final class Closing {
    final SocketPlan.Held held;

    Closing(SocketPlan.Held held) {
      this.held = held;
    }
  }

  private final World world;
  private final SimulatedKernel kernel;
  private final Loop loop;
  private final Witness witness;
  private final Consumer<List<SocketPlan.Assigned>> onNewListeners;
  private final AccessLog accessLog = new AccessLog(null);
  private final Set<String> drained = new TreeSet<>();
  private final List<Closing> closing = new ArrayList<>();
  private final List<CompletableFuture<?>> asked = new ArrayList<>();
  private List<SocketPlan.Held> held;
  private Generation setup;
  private boolean busy;
  private boolean handedOver;
  private boolean stopped;

  /**
   * Begins with a loop that does not run yet.
   *
   * @param onNewListeners is told of sockets that a reload has opened
   */
  Operator(
      World world,
      SimulatedKernel kernel,
      Loop loop,
      Witness witness,
      Plan first,
      SocketPlan sockets,
      Consumer<List<SocketPlan.Assigned>> onNewListeners) {
    this.world = world;
    this.kernel = kernel;
    this.loop = loop;
    this.witness = witness;
    this.onNewListeners = onNewListeners;
    held = sockets.all();
    List<SocketPlan.Assigned> assigned = sockets.ofLoop(0);
    setup = new Generation(loop, null, first.configuration(), assigned, drained, accessLog);
    loop.begin(setup);
    tell(first, assigned);
  }

  private void tell(Plan plan, List<SocketPlan.Assigned> assigned) {
    Map<TcpListener, ListenerConfig> sockets = new LinkedHashMap<>();
    assigned.forEach(one -> sockets.put(listener(one.socket().fd()), one.config()));
    witness.onConfiguration(plan.configuration(), plan.swapped(), sockets);
  }

  private TcpListener listener(Fd fd) {
    return kernel.listener(fd);
  }

  /** Plans that it does something at a time. */
  void plan(long nanos, String what, Runnable action) {
    world.after(nanos, "operator", what, action);
  }

  private boolean mayAct() {
    return !busy && !handedOver && !stopped;
  }

  /** Has the loop do something, and something else once it has or cannot any more. */
  private void submit(Runnable action, Consumer<Boolean> then) {
    asked.add(loop.submit(kernel, action).thenAccept(then));
  }

  /** Throws what went wrong where the loop had done what it was asked. */
  void requireAllDone() {
    for (CompletableFuture<?> one : asked) {
      Throwable failure = one.isCompletedExceptionally() ? one.exceptionNow() : null;
      if (failure != null || !one.isDone()) {
        throw new Violation("what the loop was asked is not done: " + failure);
      }
    }
  }

  /** Goes over to another configuration. */
  void reload(Plan next) {
    if (mayAct()) {
      kernel.outside(() -> tryReload(next));
    }
  }

  private void tryReload(Plan next) {
    List<SocketPlan.Held> there = new ArrayList<>(held);
    closing.forEach(one -> there.add(one.held));
    int open = kernel.openDescriptors();
    SocketPlan plan;
    try {
      plan = SocketPlan.of(kernel, next.configuration(), 1, there, this::allowReuse);
    } catch (SystemCallException e) {
      world.note("operator: the reload fails: " + e.getMessage());
      if (kernel.openDescriptors() != open) {
        throw new Violation("a reload that failed left something open");
      }
      return;
    }
    drained.retainAll(next.configuration().backends().stream().map(BackendConfig::name).toList());
    Generation made =
        new Generation(loop, setup, next.configuration(), plan.ofLoop(0), drained, accessLog);
    setup = made;
    held = plan.all();
    busy = true;
    submit(
        () -> {
          loop.swap(made);
          tell(next, plan.ofLoop(0));
          onNewListeners.accept(
              plan.ofLoop(0).stream()
                  .filter(one -> plan.openedForLoop(0).contains(one.socket()))
                  .toList());
        },
        done -> afterSwap(plan, done));
  }

  private void afterSwap(SocketPlan plan, boolean done) {
    busy = false;
    if (!done) {
      kernel.outside(() -> plan.openedForLoop(0).forEach(one -> kernel.close(one.fd())));
      return;
    }
    Set<SocketPlan.Held> unused = new HashSet<>(plan.unused());
    closing.removeIf(one -> !unused.contains(one.held));
    closing.forEach(one -> unused.remove(one.held));
    unused.forEach(this::closeLater);
  }

  private void allowReuse(SocketPlan.Held one) {
    kernel.setsockopt(one.socket().fd(), Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1);
  }

  private void closeLater(SocketPlan.Held unused) {
    Closing one = new Closing(unused);
    closing.add(one);
    plan(CLOSING_NANOS, "closes " + unused.socket().label(), () -> endClosing(one));
  }

  private void endClosing(Closing one) {
    if (busy && closing.contains(one)) {
      plan(AGAIN_NANOS, "waits for its turn", () -> endClosing(one));
      return;
    }
    if (closing.remove(one)) {
      submit(() -> loop.endClosing(one.held.socket().fd()), done -> finishOnceClosed());
    }
  }

  private void finishOnceClosed() {
    if (handedOver && closing.isEmpty()) {
      submit(loop::finish, done -> {});
    }
  }

  /** Lets a backend get no new connections, or get them again. */
  void drain(String backend, boolean on) {
    if (!mayAct()) {
      return;
    }
    if (on) {
      drained.add(backend);
    } else {
      drained.remove(backend);
    }
    submit(
        () -> {
          loop.setDrained(backend, on);
          witness.onDrained(backend, on);
        },
        done -> {});
  }

  /**
   * Gives the listening sockets to another process, which accepts from then on.
   *
   * @param wanted how many of them, at most, the other listens on
   */
  void handOver(int wanted) {
    if (!mayAct()) {
      return;
    }
    busy = true;
    Map<Fd, Fd> duplicates = new LinkedHashMap<>();
    submit(
        () -> duplicates.putAll(loop.duplicateSockets()), done -> afterOffer(duplicates, wanted));
  }

  private void afterOffer(Map<Fd, Fd> duplicates, int wanted) {
    busy = false;
    Set<Fd> unwanted = new HashSet<>();
    boolean all = duplicates.size() == held.size();
    kernel.outside(() -> {
      for (Map.Entry<Fd, Fd> one : duplicates.entrySet()) {
        if (all && unwanted.size() + wanted < duplicates.size()) {
          unwanted.add(one.getKey());
        } else if (all) {
          listener(one.getValue()).share();
        }
        kernel.close(one.getValue());
      }
    });
    if (!all || stopped) {
      return;
    }
    busy = true;
    plan(world.chance().below(HAND_OVER_NANOS), "has been taken over", () -> abandon(unwanted));
  }

  private void abandon(Set<Fd> unwanted) {
    busy = false;
    if (stopped) {
      return;
    }
    handedOver = true;
    submit(() -> loop.abandonSockets(unwanted), done -> {});
    held.stream().filter(one -> unwanted.contains(one.socket().fd())).forEach(this::closeLater);
    finishOnceClosed();
  }

  /** Whether another process has the sockets, so that the loop ends by itself. */
  boolean hasHandedOver() {
    return handedOver;
  }

  /** Stops the loop. */
  void stop() {
    stopped = true;
    witness.onStop();
    loop.stop(kernel);
  }
}
