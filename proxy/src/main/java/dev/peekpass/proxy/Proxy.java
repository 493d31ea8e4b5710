package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.listen.ListenerSocket;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.listen.SocketPlan.Held;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.probe.Probes;
import dev.peekpass.proxy.route.Reading;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.status.ProxyStatus;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running proxy: its loops, a thread each, and what may be done to them while they run.
 *
 * <p>Either all listeners of a configuration are bound or none is. The methods may be called from
 * any thread; those that change something take turns, and have the loops do it between two events
 * of theirs, so that no connection waits for them.
 */
public final class Proxy {
  private static final Logger LOG = LoggerFactory.getLogger(Proxy.class);

  /**
   * How long a socket that is no longer wanted takes what had begun: the time that the kernel holds
   * a silent client back (TCP_DEFER_ACCEPT) and a handshake over a slow network.
   */
  private static final long CLOSING_MILLIS = 1000L * Listener.DEFER_ACCEPT_SECONDS + 1500;

  /** How long the loops are given to do what they are asked; they turn within microseconds. */
  private static final long ANSWER_SECONDS = 10;

  /** The access log ends within a second of its loop; this is for one that does not. */
  private static final long LOG_NANOS = 2_000_000_000;

  /** A socket that takes what had begun. */
  private static final class Closing {
    final Held held;
    @Nullable Future<?> end;

    Closing(Held held) {
      this.held = held;
    }
  }

  private final Supplier<? extends Kernel> kernels;

  /** Used by whoever holds this object's lock. */
  private final Kernel kernel;

  private final LineSink accessLogOut;
  private final List<Loop> loops = new ArrayList<>();
  private final List<AccessLog> startedLogs = new CopyOnWriteArrayList<>();
  private final CountDownLatch ended;
  private final ScheduledThreadPoolExecutor timer;
  private final Probes probes;
  private final Garbage garbage = new Garbage();
  private final Set<String> drained = new TreeSet<>();
  private final List<Closing> closing = new ArrayList<>();
  private Configuration configuration;
  private List<Setup> setups = List.of();
  private List<Held> held = List.of();
  private List<String> addresses = List.of();
  private Set<Integer> unwanted = Set.of();
  private long reloads;
  private boolean handedOver;
  private volatile boolean stopping;
  private volatile boolean failed;

  private Proxy(
      Configuration configuration, Supplier<? extends Kernel> kernels, LineSink accessLogOut) {
    this.configuration = configuration;
    this.kernels = kernels;
    this.accessLogOut = accessLogOut;
    kernel = kernels.get();
    ended = new CountDownLatch(configuration.threads());
    timer =
        new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().name("closing").daemon().unstarted(task));
    timer.setRemoveOnCancelPolicy(true);
    probes = new Probes(kernels, this::onHealth);
  }

  /** Called by a probe's thread. */
  private void onHealth(Kernel callers, BackendConfig backend, int socket, boolean healthy) {
    for (Loop loop : loops) {
      var _ = loop.submit(callers, () -> loop.setHealthy(backend, socket, healthy));
    }
  }

  /**
   * Binds every listener and begins to accept.
   *
   * @param kernels opens the way to the kernel for one thread, at each call
   * @param accessLog where the access log goes, when the configuration asks for one
   * @throws SystemCallException when a listener cannot be bound; nothing is left open
   */
  public static Proxy start(
      Configuration configuration, Supplier<? extends Kernel> kernels, LineSink accessLog)
      throws SystemCallException {
    return start(configuration, kernels, accessLog, Inherited.NOTHING);
  }

  /**
   * Binds every listener that it has not inherited and begins to accept.
   *
   * @param inherited its sockets are owned by the proxy from here on; those that the configuration
   *     has no use for are closed, see {@link #unwanted}
   * @throws SystemCallException when a listener cannot be bound; nothing is left open
   */
  public static Proxy start(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      LineSink accessLog,
      Inherited inherited)
      throws SystemCallException {
    Proxy proxy = new Proxy(configuration, kernels, accessLog);
    try {
      proxy.begin(inherited);
    } catch (SystemCallException e) {
      proxy.timer.shutdownNow();
      proxy.loops.forEach(Loop::discard);
      inherited.sockets().forEach(socket -> proxy.kernel.close(socket.fd()));
      throw e;
    }
    for (int i = 0; i < proxy.loops.size(); i++) {
      Loop loop = proxy.loops.get(i);
      Thread.ofPlatform().name("loop-" + i).start(() -> proxy.run(loop));
    }
    return proxy;
  }

  private synchronized void begin(Inherited inherited) throws SystemCallException {
    List<Held> there = new ArrayList<>();
    for (ListeningSocket socket : inherited.sockets()) {
      BindAddress bind =
          BindAddress.parse(socket.bind()) instanceof Reading.Good<BindAddress>(BindAddress known)
              ? known
              : null;
      ListenerSocket known = ListenerSocket.inherited(kernel, socket.fd(), bind);
      there.add(new Held(known, SocketPlan.NO_LOOP));
    }
    for (BackendConfig backend : configuration.backends()) {
      if (inherited.drained().contains(backend.name())) {
        drained.add(backend.name());
      }
    }
    int threads = configuration.threads();
    SocketPlan plan = SocketPlan.of(kernel, configuration, threads, there, this::allowReuse);
    try {
      for (int i = 0; i < threads; i++) {
        loops.add(new Loop(kernels.get()));
      }
    } catch (SystemCallException e) {
      plan.discard();
      throw e;
    }
    take(configuration, plan);
    for (int i = 0; i < threads; i++) {
      loops.get(i).begin(setups.get(i));
    }
    Set<Integer> none = new HashSet<>();
    for (Held one : plan.unused()) {
      none.add(there.indexOf(one));
      LOG.warn("{} was inherited and no listener binds it: not listening", one.socket().label());
      kernel.close(one.socket().fd());
    }
    unwanted = Set.copyOf(none);
  }

  /** Makes the loops' setups for a configuration, and remembers what is there from now on. */
  private void take(Configuration next, SocketPlan plan) {
    List<Setup> made = new ArrayList<>();
    for (int i = 0; i < loops.size(); i++) {
      Setup before = setups.isEmpty() ? null : setups.get(i);
      AccessLog log =
          before != null && before.accessLog.isEnabled() == next.accessLog()
              ? before.accessLog
              : startLog(loops.get(i), next.accessLog());
      made.add(new Setup(loops.get(i), before, next, plan.ofLoop(i), drained, log));
    }
    configuration = next;
    setups = made;
    held = plan.all();
    addresses = plan.labels();
    probes.update(next.backends());
  }

  private AccessLog startLog(Loop loop, boolean enabled) {
    AccessLog log = new AccessLog(enabled ? accessLogOut : null);
    log.start(loop.counters());
    startedLogs.removeIf(AccessLog::isWritten);
    startedLogs.add(log);
    return log;
  }

  private void run(Loop loop) {
    try {
      loop.run();
    } catch (RuntimeException | Error e) {
      failed = true;
      LOG.error("a loop ended on a fault in Peekpass: stopping", e);
      // A proxy that listens and does not accept is worse than one that is seen to be gone.
      stop();
    } finally {
      ended.countDown();
    }
  }

  /** The addresses bound, with their real ports, in the order of the configuration. */
  public synchronized List<String> addresses() {
    return List.copyOf(addresses);
  }

  /** Which inherited sockets, by their place in the list, the configuration had no use for. */
  public synchronized Set<Integer> unwanted() {
    return unwanted;
  }

  /** The names of the backends that get no new connections. */
  public synchronized Set<String> drained() {
    return Set.copyOf(drained);
  }

  /**
   * Goes over to another configuration, each loop between two events. Connections accepted before
   * go on under the old one. Listeners whose address is in both keep their socket, and backends
   * that say the same keep their channels and queues. New addresses are bound first, all or none;
   * those that are gone take what had begun before they close.
   *
   * @return what the configuration says that cannot change while the proxy runs, a sentence each
   * @throws SystemCallException when an address cannot be bound; nothing has changed then
   * @throws IOException when the proxy is stopping
   */
  public synchronized List<String> reload(Configuration next) throws IOException {
    requireRunning();
    List<Held> there = new ArrayList<>(held);
    closing.forEach(c -> there.add(c.held));
    SocketPlan plan = SocketPlan.of(kernel, next, loops.size(), there, this::allowReuse);
    List<String> fixed = fixed(next);
    drained.retainAll(next.backends().stream().map(BackendConfig::name).toList());
    take(next, plan);
    List<CompletableFuture<Boolean>> swaps = new ArrayList<>();
    for (int i = 0; i < loops.size(); i++) {
      Loop loop = loops.get(i);
      Setup setup = setups.get(i);
      swaps.add(loop.submit(kernel, () -> loop.swap(setup)));
    }
    for (int i = 0; i < loops.size(); i++) {
      if (!await(swaps.get(i)) && swaps.get(i).getNow(true).equals(false)) {
        // It is stopping, and closes what it has; what it was to get is still this method's.
        plan.openedForLoop(i).forEach(socket -> kernel.close(socket.fd()));
        setups.get(i).accessLog.close();
      }
    }
    reloads++;
    Set<Held> unused = Set.copyOf(plan.unused());
    closing.removeIf(c -> {
      boolean wanted = !unused.contains(c.held);
      if (wanted && c.end != null) {
        c.end.cancel(false);
      }
      return wanted;
    });
    List<Held> already = closing.stream().map(c -> c.held).toList();
    unused.stream().filter(one -> !already.contains(one)).forEach(this::closeLater);
    garbage.afterReload();
    return fixed;
  }

  private List<String> fixed(Configuration next) {
    List<String> fixed = new ArrayList<>();
    if (next.threads() != configuration.threads()) {
      fixed.add(
          "threads: %d goes on as %d until a restart or takeover (peekpass run --takeover)"
              .formatted(next.threads(), loops.size()));
    }
    if (!next.adminPath().equals(configuration.adminPath())) {
      fixed.add(
          "admin: the socket stays where it is until a restart or takeover"
              + " (peekpass run --takeover)");
    }
    return fixed;
  }

  private void requireRunning() throws IOException {
    if (handedOver) {
      throw new IOException("this process has handed its sockets over and is finishing");
    }
    if (stopping) {
      throw new IOException("the proxy is stopping");
    }
  }

  private void allowReuse(Held one) {
    Runnable allow =
        () -> {
          Kernel own = one.loop() < 0 ? kernel : loops.get(one.loop()).kernel();
          own.setsockopt(one.socket().fd(), Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1);
        };
    if (one.loop() < 0) {
      allow.run();
    } else {
      await(loops.get(one.loop()).submit(kernel, allow));
    }
  }

  private void closeLater(Held unused) {
    Closing one = new Closing(unused);
    closing.add(one);
    one.end = timer.schedule(() -> endClosing(one), CLOSING_MILLIS, TimeUnit.MILLISECONDS);
  }

  private synchronized void endClosing(Closing one) {
    if (closing.remove(one)) {
      Loop loop = loops.get(one.held.loop());
      await(loop.submit(kernel, () -> loop.endClosing(one.held.socket().fd())));
      LOG.info("listener {}: closed", one.held.socket().label());
      finishOnceClosed();
    }
  }

  /**
   * Lets a backend get no new connections, or get them again. A drained backend's connections go to
   * the fallback, or are told that it is unavailable; those that wait for it already still go to
   * it.
   *
   * @return false when the configuration has no backend of that name
   */
  public synchronized boolean drain(String backend, boolean on) throws IOException {
    requireRunning();
    if (backendNames().noneMatch(backend::equals)) {
      return false;
    }
    if (on) {
      drained.add(backend);
    } else {
      drained.remove(backend);
    }
    onEveryLoop(loop -> loop.setDrained(backend, on));
    return true;
  }

  /** The names of the configuration's backends. */
  public synchronized List<String> backends() {
    return backendNames().toList();
  }

  private java.util.stream.Stream<String> backendNames() {
    return configuration.backends().stream().map(BackendConfig::name);
  }

  /**
   * Duplicates of the listening sockets, for another process; the caller owns them, and says to
   * {@link #handOver} what became of them.
   */
  public synchronized Map<ListeningSocket, Fd> duplicateSockets() throws IOException {
    requireRunning();
    Map<Fd, String> binds = new LinkedHashMap<>();
    held.forEach(one -> binds.put(one.socket().fd(), one.socket().bind().toString()));
    Map<Fd, Fd> duplicates = new LinkedHashMap<>();
    gather(Loop::duplicateSockets).forEach(duplicates::putAll);
    Map<ListeningSocket, Fd> offer = new LinkedHashMap<>();
    if (duplicates.size() < held.size()) {
      duplicates.values().forEach(kernel::close);
      throw new IOException(
          "the listening sockets cannot be duplicated: raise the limit of open files (ulimit -n,"
              + " LimitNOFILE=), if the proxy is not stopping");
    }
    duplicates.forEach((socket, duplicate) ->
        offer.put(new ListeningSocket(binds.getOrDefault(socket, ""), duplicate), socket));
    return offer;
  }

  /**
   * Accepts no more, since another process does, and ends once everything that was accepted has its
   * outcome. {@link #await} then returns.
   *
   * @param notTaken the sockets that the other does not listen on: they take what had begun first
   */
  public synchronized void handOver(Set<Fd> notTaken) throws IOException {
    requireRunning();
    handedOver = true;
    probes.stop();
    Set<Fd> sockets = Set.copyOf(notTaken);
    onEveryLoop(loop -> loop.abandonSockets(sockets));
    held.stream().filter(one -> sockets.contains(one.socket().fd())).forEach(this::closeLater);
    finishOnceClosed();
  }

  private void finishOnceClosed() {
    if (handedOver && closing.isEmpty()) {
      onEveryLoop(Loop::finish);
    }
  }

  /** Whether every loop turns: has each do nothing, and waits for that. */
  public synchronized boolean turns() {
    return onEveryLoop(loop -> {});
  }

  /** What it is doing. */
  public synchronized ProxyStatus status() {
    Map<String, ListenerStatus> listeners = new LinkedHashMap<>();
    for (List<ListenerStatus> ofLoop : gather(Loop::listenerStatus)) {
      for (ListenerStatus one : ofLoop) {
        listeners.merge(one.address(), one, ListenerStatus::plus);
      }
    }
    Map<String, BackendStatus> backends = new LinkedHashMap<>();
    for (List<BackendStatus> ofLoop : gather(Loop::backendStatus)) {
      for (BackendStatus one : ofLoop) {
        backends.merge(one.name(), one, BackendStatus::plus);
      }
    }
    List<ListenerStatus> ordered =
        listeners.values().stream()
            .sorted(
                Comparator.comparing((ListenerStatus one) -> one.closing())
                    .thenComparingInt(one -> addresses.indexOf(one.address())))
            .toList();
    return new ProxyStatus(
        loops.size(), reloads, ordered, List.copyOf(backends.values()), outcomes(), counts());
  }

  /** Has every loop do something, one as soon as the other; returns whether all did. */
  private boolean onEveryLoop(Consumer<Loop> action) {
    List<CompletableFuture<Boolean>> done =
        loops.stream().map(loop -> loop.submit(kernel, () -> action.accept(loop))).toList();
    boolean all = true;
    for (CompletableFuture<Boolean> one : done) {
      all &= await(one);
    }
    return all;
  }

  /** What every loop says, each asked by its own thread; of one that has ended nothing. */
  private <T> List<T> gather(Function<Loop, T> question) {
    List<T> answers = new CopyOnWriteArrayList<>();
    List<CompletableFuture<Boolean>> done =
        loops.stream()
            .map(loop -> loop.submit(kernel, () -> answers.add(question.apply(loop))))
            .toList();
    done.forEach(Proxy::await);
    return answers;
  }

  private static boolean await(CompletableFuture<Boolean> done) {
    try {
      return done.get(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } catch (ExecutionException | TimeoutException e) {
      LOG.error("a loop has not done what it was asked: this is a fault in Peekpass", e);
      return false;
    }
  }

  /** Asks all loops to end; returns at once. */
  public void stop() {
    stopping = true;
    probes.stop();
    Kernel callers = kernels.get();
    loops.forEach(loop -> loop.stop(callers));
  }

  /**
   * Waits until all loops have ended and the access log is written, for which a reader that is slow
   * or stuck has some two seconds.
   *
   * @return whether they ended because they were asked to
   * @throws InterruptedException when the waiting thread is interrupted
   */
  public boolean await() throws InterruptedException {
    ended.await();
    timer.shutdownNow();
    long start = System.nanoTime();
    for (AccessLog log : startedLogs) {
      log.awaitWritten(LOG_NANOS - (System.nanoTime() - start));
    }
    return !failed;
  }

  /** How many connections ended so, since the start. */
  public Map<Outcome, Long> outcomes() {
    Map<Outcome, Long> sums = new EnumMap<>(Outcome.class);
    for (Outcome outcome : Outcome.values()) {
      sums.put(outcome, loops.stream().mapToLong(loop -> loop.counters().get(outcome)).sum());
    }
    return sums;
  }

  /** The other counts, since the start. */
  public Map<Counter, Long> counts() {
    Map<Counter, Long> sums = new EnumMap<>(Counter.class);
    for (Counter counter : Counter.values()) {
      sums.put(counter, loops.stream().mapToLong(loop -> loop.counters().get(counter)).sum());
    }
    return sums;
  }
}
