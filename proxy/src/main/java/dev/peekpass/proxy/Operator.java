package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Orders.Reply;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.listen.BoundSocket;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.listen.SocketPlan.Held;
import dev.peekpass.proxy.route.Reading;
import dev.peekpass.proxy.status.ProxyStatus;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a reload, a drain, a hand-over and a stop do to the loops, step by step.
 *
 * <pre>{@code
 * asked ──> its turn ──> sockets, generations ──> an Order to each loop ──> answers ──> result
 *           (one after      all or none        its own thread,         10 s each
 *            the other)                        between two events
 * }</pre>
 *
 * It has no thread, lock or clock of its own: it runs in {@link Steps}, one at a time, and never
 * waits in one. Its methods are called in steps, but for {@link #stop}; their results come in one.
 */
final class Operator {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final Kernel kernel;
  private final List<Loop> loops;
  private final Orders orders;
  private final Facilities facilities;
  private final OperationQueue operations = new OperationQueue();
  private final ClosingSockets closing;
  private List<Generation> generations = List.of();
  private List<Held> held = List.of();
  private boolean handedOver;
  private volatile Standing standing;
  private volatile boolean stopping;

  /**
   * Makes one for loops that do not run yet.
   *
   * @param kernel used in steps only, once the loops run
   */
  Operator(
      Kernel kernel,
      List<Loop> loops,
      Steps steps,
      Facilities facilities,
      Configuration configuration) {
    this.kernel = kernel;
    this.loops = List.copyOf(loops);
    orders = new Orders(steps, this.loops);
    this.facilities = facilities;
    closing = new ClosingSockets(steps, this::endInTurn);
    standing = new Standing(configuration, configuration, List.of(), Set.of(), Set.of(), 0);
  }

  /** What the proxy goes by; for any thread. */
  Standing standing() {
    return standing;
  }

  /**
   * Binds what is not inherited and gives the loops their first generations, before they run.
   *
   * @param inherited its sockets are the loops' afterwards; those of no use are closed. When this
   *     fails they stay the caller's
   * @return what each loop listens on
   * @throws SystemCallException when a listener cannot be bound; nothing new is left open
   */
  SocketPlan begin(Inherited inherited) throws SystemCallException {
    Configuration configuration = standing.configuration();
    List<Held> there = new ArrayList<>();
    for (TransferredSocket socket : inherited.sockets()) {
      BindAddress bind =
          BindAddress.parse(socket.bind()) instanceof Reading.Good<BindAddress>(BindAddress known)
              ? known
              : null;
      there.add(new Held(BoundSocket.inherited(kernel, socket.fd(), bind), SocketPlan.NO_LOOP));
    }
    SocketPlan plan = SocketPlan.of(kernel, configuration, loops.size(), there, this::allowReuse);
    Set<String> drained = Standing.named(inherited.drained(), configuration);
    Change first = Change.of(loops, List.of(), configuration, plan, drained, facilities::startLog);
    generations = first.generations();
    held = plan.all();
    for (int i = 0; i < loops.size(); i++) {
      loops.get(i).begin(generations.get(i));
    }
    Set<Integer> unwanted = new HashSet<>();
    for (Held one : plan.unused()) {
      unwanted.add(there.indexOf(one));
      LOG.warn("{} was inherited and no listener binds it: not listening", one.socket().label());
      kernel.close(one.socket().fd());
    }
    standing = new Standing(configuration, configuration, plan.labels(), unwanted, drained, 0);
    return plan;
  }

  /** Closes what a loop has that will not run, on the thread that was to run it. */
  void discard(int loop) {
    Kernel own = loops.get(loop).kernel();
    for (Held one : held) {
      if (one.loop() == loop) {
        own.close(one.socket().fd());
      }
    }
    generations.get(loop).accessLog().close();
    loops.get(loop).discard();
  }

  /** Begins to probe, once the loops run. */
  void accept() {
    facilities.probe(standing.configuration().backends());
  }

  private void requireRunning() throws IOException {
    if (handedOver) {
      throw new IOException("this process has handed its sockets over and is finishing");
    }
    if (stopping) {
      throw new IOException("the proxy is stopping");
    }
  }

  /**
   * Goes over to another configuration, see {@link Proxy#reload}.
   *
   * @return what the configuration says that cannot change, a sentence each
   */
  CompletableFuture<List<String>> reload(Configuration next) {
    return operations.offer(() -> {
      requireRunning();
      List<Held> there = new ArrayList<>(held);
      there.addAll(closing.sockets());
      SocketPlan plan = SocketPlan.of(kernel, next, loops.size(), there, this::allowReuse);
      Set<String> drained = Standing.named(standing.drained(), next);
      Change change = Change.of(loops, generations, next, plan, drained, facilities::startLog);
      return orders
          .each(
              change::order,
              (loop, answer) -> {
                if (answer == Reply.ENDED) {
                  change.giveBack(loop, kernel);
                }
              })
          .thenCompose(answers -> afterSwap(change, answers));
    });
  }

  private CompletableFuture<List<String>> afterSwap(Change change, List<Reply> answers) {
    if (answers.contains(Reply.ENDED)) {
      return CompletableFuture.failedFuture(new IOException("the proxy is stopping"));
    }
    List<String> fixed = standing.fixed(change.configuration, loops.size());
    generations = change.generations();
    held = change.plan.all();
    standing = standing.after(change);
    closing.keepOnly(change.plan.unused());
    // Not before: what a probe finds out must reach the backends that the loops have now.
    facilities.probe(change.configuration.backends());
    return answers.contains(Reply.FAILED)
        ? CompletableFuture.failedFuture(
            new IOException("a loop has not gone over to it whole: this is a fault in Peekpass"))
        : CompletableFuture.completedFuture(fixed);
  }

  /**
   * Only sets an option of sockets that loops go on listening on. If a loop closes one at this
   * moment, since it stops, the call fails, and the loop will not go over to anything.
   */
  private void allowReuse(List<Held> onePort) {
    for (Held one : onePort) {
      kernel.setsockopt(one.socket().fd(), Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1);
    }
  }

  private void endInTurn(ClosingSockets.Closing one) {
    var _ = operations.add(() -> endClosing(one));
  }

  private CompletableFuture<Boolean> endClosing(ClosingSockets.Closing one) {
    if (!closing.remove(one)) {
      return CompletableFuture.completedFuture(false);
    }
    BoundSocket socket = one.held.socket();
    return orders
        .one(one.held.loop(), new Order.EndClosing(socket.fd()))
        .thenApply(answer -> {
          if (answer == Reply.DONE) {
            LOG.info("listener {}: takes what is queued, and closes", socket.label());
          }
          finishOnceClosed();
          return true;
        });
  }

  private void finishOnceClosed() {
    if (handedOver && closing.sockets().isEmpty()) {
      var _ = orders.all(new Order.Finish());
    }
  }

  /**
   * Lets a backend get no new connections, or get them again.
   *
   * @return false when the configuration has no backend of that name
   */
  CompletableFuture<Boolean> drain(String backend, boolean on) {
    return operations.offer(() -> {
      requireRunning();
      Standing now = standing;
      if (now.configuration().backends().stream().noneMatch(one -> one.name().equals(backend))) {
        return CompletableFuture.completedFuture(false);
      }
      Set<String> drained = new TreeSet<>(now.drained());
      if (on) {
        drained.add(backend);
      } else {
        drained.remove(backend);
      }
      standing = now.with(drained);
      return orders.all(new Order.Drain(backend, on)).thenApply(answers -> true);
    });
  }

  /** A probe has found a socket of a backend unhealthy, or healthy again. */
  void onHealth(BackendConfig backend, int socket, boolean healthy) {
    var _ = orders.all(new Order.Health(backend, socket, healthy));
  }

  /** Duplicates of the listening sockets, see {@link Proxy#duplicateSockets}. */
  CompletableFuture<Map<TransferredSocket, Fd>> duplicateSockets() {
    return operations.offer(() -> {
      requireRunning();
      List<Map<Fd, Fd>> found =
          IntStream.range(0, loops.size())
              .mapToObj(i -> (Map<Fd, Fd>) new LinkedHashMap<Fd, Fd>())
              .toList();
      boolean[] over = new boolean[1];
      return orders
          .each(
              i -> new Order.Ask(loop -> found.get(i).putAll(loop.duplicateSockets())),
              (i, answer) -> {
                if (over[0]) {
                  // Too late to be anybody's.
                  closeAll(found.get(i));
                }
              })
          .thenCompose(answers -> {
            over[0] = true;
            return offer(found, answers);
          });
    });
  }

  private CompletableFuture<Map<TransferredSocket, Fd>> offer(
      List<Map<Fd, Fd>> found, List<Reply> answers) {
    Map<Fd, String> binds = new LinkedHashMap<>();
    held.forEach(one -> binds.put(one.socket().fd(), one.socket().bind().toString()));
    Map<TransferredSocket, Fd> offer = new LinkedHashMap<>();
    for (int i = 0; i < found.size(); i++) {
      if (answers.get(i) != Reply.LATE) {
        found
            .get(i)
            .forEach((socket, duplicate) ->
                offer.put(
                    new TransferredSocket(binds.getOrDefault(socket, ""), duplicate), socket));
      }
    }
    if (offer.size() == held.size()) {
      return CompletableFuture.completedFuture(offer);
    }
    offer.keySet().forEach(one -> kernel.close(one.fd()));
    return CompletableFuture.failedFuture(
        new IOException(
            "the listening sockets cannot be duplicated: raise the limit of open files (ulimit -n,"
                + " LimitNOFILE=), if the proxy is not stopping"));
  }

  private void closeAll(Map<Fd, Fd> duplicates) {
    duplicates.values().forEach(kernel::close);
  }

  /** Accepts no more and finishes, see {@link Proxy#handOver}. */
  CompletableFuture<Boolean> handOver(Set<Fd> notTaken) {
    Set<Fd> sockets = Set.copyOf(notTaken);
    return operations.offer(() -> {
      requireRunning();
      handedOver = true;
      facilities.probe(List.of());
      return orders
          .all(new Order.Abandon(sockets))
          .thenApply(answers -> {
            for (Held one : held) {
              if (sockets.contains(one.socket().fd())) {
                closing.add(one);
              }
            }
            finishOnceClosed();
            return true;
          });
    });
  }

  /** Whether every loop turns: has each do nothing. Does not wait for its turn. */
  CompletableFuture<Boolean> turns() {
    return orders
        .all(new Order.Ask(loop -> {}))
        .thenApply(answers -> answers.stream().allMatch(answer -> answer == Reply.DONE));
  }

  /** What the loops are doing; of one that has ended nothing. Does not wait for its turn. */
  CompletableFuture<ProxyStatus> status() {
    StatusReport.Part[] parts = new StatusReport.Part[loops.size()];
    return orders
        .each(i -> new Order.Ask(loop -> parts[i] = loop.status()), (i, answer) -> {})
        .thenApply(answers -> {
          List<StatusReport.Part> known =
              IntStream.range(0, parts.length)
                  .filter(i -> answers.get(i) == Reply.DONE)
                  .mapToObj(i -> parts[i])
                  .toList();
          return StatusReport.of(loops, standing, known);
        });
  }

  /** Asks all loops to end; returns at once. May be called by any thread, at any time, again. */
  void stop(Kernel callersKernel) {
    stopping = true;
    loops.forEach(loop -> loop.stop(callersKernel));
  }
}
