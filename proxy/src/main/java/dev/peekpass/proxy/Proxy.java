package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.output.LineSink;
import dev.peekpass.proxy.probe.Probes;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.status.ProxyStatus;
import dev.peekpass.proxy.turn.CloseQueue;
import dev.peekpass.proxy.turn.StallWatch;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running proxy: its loops, a thread each, one more for its {@link Operator}, and the way for
 * other threads to have something done.
 *
 * <p>Either all listeners of a configuration are bound or none is. The methods may be called from
 * any thread, also while another is under way; those that change something take turns, and have the
 * loops do it between two events of theirs, so that no connection waits for them. They wait for
 * that with a deadline and without a lock.
 */
public final class Proxy {
  private static final Logger LOG = LoggerFactory.getLogger(Proxy.class);

  /** How long the access log has to be written once the loops have ended. */
  private static final Duration LOG_PATIENCE = Duration.ofSeconds(2);

  private enum Phase {
    /** All is there, and the loops' threads wait. */
    PREPARED,
    RUNNING,
    /** It will not run: each loop's thread closes what the loop has. */
    DISCARDED
  }

  private final Supplier<? extends Kernel> kernels;
  private final List<Loop> loops;
  private final OperatorThread operatorThread;
  private final Operator operator;
  private final StallWatch watch;
  private final AccessLogs accessLogs;
  private final Probes probes;
  private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.PREPARED);

  /** What the loops' threads wait for: {@link #accept}, {@link #stop}, a thread that is missing. */
  private final CountDownLatch gate = new CountDownLatch(1);

  private final CountDownLatch ended;
  private volatile boolean failed;

  /** Takes the loops, and makes the operator's thread, which may fail with OutOfMemoryError. */
  private Proxy(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      List<Loop> loops,
      StallWatch watch,
      LineSink accessLog) {
    this.kernels = kernels;
    this.watch = watch;
    this.loops = List.copyOf(loops);
    accessLogs = new AccessLogs(accessLog);
    probes = new Probes(kernels, this::onHealth);
    ended = new CountDownLatch(loops.size());
    Kernel operators = kernels.get();
    operatorThread = new OperatorThread(operators);
    operatorThread.repeat(Garbage.PERIOD_NANOS, new Garbage()::collectIfMuch);
    operator =
        new Operator(operators, this.loops, operatorThread, new OwnFacilities(), configuration);
  }

  /** What the operator needs of this process. */
  private final class OwnFacilities implements Facilities {
    @Override
    public AccessLog startLog(Loop loop, boolean enabled) throws SystemCallException {
      return accessLogs.start(loop.counters(), enabled);
    }

    @Override
    public void probe(List<BackendConfig> backends) {
      try {
        probes.update(backends);
      } catch (OutOfMemoryError e) {
        LOG.error("backends are not probed: {}", AccessLogs.noThread(e).getMessage());
      }
    }
  }

  /** Called by a probe's thread. */
  private void onHealth(Kernel callers, BackendConfig backend, int socket, boolean healthy) {
    var _ =
        operatorThread.begin(() -> {
          operator.onHealth(backend, socket, healthy);
          return CompletableFuture.completedFuture(true);
        });
  }

  /** As the next one, with nothing inherited. */
  public static Proxy start(
      Configuration configuration, Supplier<? extends Kernel> kernels, LineSink accessLog)
      throws SystemCallException {
    return start(configuration, kernels, accessLog, Inherited.NOTHING);
  }

  /**
   * Binds every listener that it has not inherited and begins to accept.
   *
   * @param kernels opens the way to the kernel for one thread, at each call
   * @param accessLog where the access log goes, when the configuration asks for one
   * @param inherited its sockets are owned by the proxy from here on; those that the configuration
   *     has no use for are closed, see {@link #unwanted}
   * @throws SystemCallException when a listener cannot be bound or a thread cannot be started;
   *     nothing is left open
   */
  public static Proxy start(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      LineSink accessLog,
      Inherited inherited)
      throws SystemCallException {
    Proxy proxy = prepare(configuration, kernels, accessLog, inherited);
    proxy.accept();
    return proxy;
  }

  /**
   * Does all of {@link #start} that can fail: binds, and starts the threads. Nobody is accepted
   * before {@link #accept}; {@link #stop} instead of it closes everything and changes no socket
   * that another process has too.
   *
   * @param inherited as for {@link #start}
   * @throws SystemCallException as from {@link #start}
   */
  public static Proxy prepare(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      LineSink accessLog,
      Inherited inherited)
      throws SystemCallException {
    return prepare(configuration, kernels, accessLog, inherited, Threads.PLATFORM);
  }

  static Proxy prepare(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      LineSink accessLog,
      Inherited inherited,
      Threads threads)
      throws SystemCallException {
    Proxy proxy = bind(configuration, kernels, accessLog, inherited);
    for (int i = 0; i < proxy.loops.size(); i++) {
      int index = i;
      try {
        threads.start("loop-" + i, () -> proxy.run(index));
      } catch (OutOfMemoryError e) {
        proxy.discard(i);
        throw AccessLogs.noThread(e);
      }
    }
    proxy.watch.start();
    return proxy;
  }

  private static Proxy bind(
      Configuration configuration,
      Supplier<? extends Kernel> kernels,
      LineSink accessLog,
      Inherited inherited)
      throws SystemCallException {
    List<Loop> loops = new ArrayList<>();
    List<OperatorThread> threads = new ArrayList<>();
    boolean bound = false;
    try {
      StallWatch watch = new StallWatch(kernels.get());
      for (int i = 0; i < configuration.threads(); i++) {
        loops.add(new Loop(kernels.get(), CloseQueue.threads(kernels, watch)));
        watch.watchLoop(loops.get(i).turn().pulse());
      }
      Proxy proxy = new Proxy(configuration, kernels, loops, watch, accessLog);
      threads.add(proxy.operatorThread);
      var _ = proxy.operator.begin(inherited);
      bound = true;
      return proxy;
    } catch (OutOfMemoryError e) {
      throw AccessLogs.noThread(e);
    } finally {
      if (!bound) {
        threads.forEach(OperatorThread::discard);
        loops.forEach(Loop::discard);
        Kernel kernel = kernels.get();
        inherited.sockets().forEach(socket -> kernel.close(socket.fd()));
      }
    }
  }

  /** Closes everything, where only the first threads have been started. */
  private void discard(int started) {
    stop();
    for (int i = started; i < loops.size(); i++) {
      run(i);
    }
    try {
      await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Begins to accept, after {@link #prepare}; does nothing once it is stopped. */
  public void accept() {
    if (phase.compareAndSet(Phase.PREPARED, Phase.RUNNING)) {
      gate.countDown();
      var _ =
          operatorThread.begin(() -> {
            operator.accept();
            return CompletableFuture.completedFuture(true);
          });
    }
  }

  private void run(int index) {
    Loop loop = loops.get(index);
    try {
      gate.await();
      if (phase.get() == Phase.DISCARDED) {
        operator.discard(index);
      } else {
        loop.run();
      }
    } catch (InterruptedException | RuntimeException | Error e) {
      fail(loop, e);
    } finally {
      ended.countDown();
    }
  }

  /** A proxy that listens and does not accept is worse than one that is seen to be gone. */
  private void fail(Loop loop, Throwable fault) {
    failed = true;
    try {
      // The loop's thread has no more use of its kernel, and another may not be to be had.
      operator.stop(loop.kernel());
    } finally {
      LOG.error("a loop ended on a fault in Peekpass: stopping", fault);
    }
  }

  /** The addresses bound, with their real ports, in the order of the configuration. */
  public List<String> addresses() {
    return operator.standing().addresses();
  }

  /** Which inherited sockets, by their place in the list, the configuration had no use for. */
  public Set<Integer> unwanted() {
    return operator.standing().unwanted();
  }

  /** The names of the backends that get no new connections. */
  public Set<String> drained() {
    return operator.standing().drained();
  }

  /** The names of the configuration's backends. */
  public List<String> backends() {
    return operator.standing().configuration().backends().stream()
        .map(BackendConfig::name)
        .toList();
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
  public List<String> reload(Configuration next) throws IOException {
    return OperatorThread.await(operatorThread.begin(() -> operator.reload(next)));
  }

  /**
   * Lets a backend get no new connections, or get them again. A drained backend's connections go to
   * its backup, else to the fallback, else they are told that it is unavailable; those that wait
   * for it already still go to it.
   *
   * @return false when the configuration has no backend of that name
   * @throws IOException when the proxy is stopping
   */
  public boolean drain(String backend, boolean on) throws IOException {
    return OperatorThread.await(operatorThread.begin(() -> operator.drain(backend, on)));
  }

  /**
   * Duplicates of the listening sockets, for another process; the caller owns them, and says to
   * {@link #handOver} what became of them.
   *
   * @throws IOException when there is no room for them, or the proxy is stopping
   */
  public Map<TransferredSocket, Fd> duplicateSockets() throws IOException {
    CompletableFuture<Map<TransferredSocket, Fd>> duplicates =
        operatorThread.begin(operator::duplicateSockets);
    try {
      return OperatorThread.await(duplicates);
    } catch (IOException e) {
      // They may come yet, and are nobody's then.
      var _ =
          duplicates.thenAccept(
              late -> late.keySet().forEach(one -> kernels.get().close(one.fd())));
      throw e;
    }
  }

  /**
   * Accepts no more, since another process does, and ends once everything that was accepted has its
   * outcome. {@link #await} then returns.
   *
   * @param notTaken the sockets that the other does not listen on: they take what had begun first
   * @throws IOException when the proxy is stopping
   */
  public void handOver(Set<Fd> notTaken) throws IOException {
    var _ = OperatorThread.await(operatorThread.begin(() -> operator.handOver(notTaken)));
  }

  /** Whether every loop turns: has each do nothing, and waits for that. */
  public boolean turns() {
    try {
      return OperatorThread.await(operatorThread.begin(operator::turns));
    } catch (IOException e) {
      return false;
    }
  }

  /** What it is doing. Of loops that do not answer only the counts are known. */
  public ProxyStatus status() {
    try {
      return OperatorThread.await(operatorThread.begin(operator::status));
    } catch (IOException e) {
      return StatusReport.of(loops, operator.standing(), List.of());
    }
  }

  /** Asks all loops to end; returns at once. */
  public void stop() {
    if (phase.compareAndSet(Phase.PREPARED, Phase.DISCARDED)) {
      gate.countDown();
    } else {
      operator.stop(kernels.get());
      probes.stop();
    }
  }

  /**
   * Waits until all loops have ended and the access log is written, for which its reader has a
   * second.
   *
   * @return whether they ended because they were asked to
   * @throws InterruptedException when the waiting thread is interrupted
   */
  public boolean await() throws InterruptedException {
    ended.await();
    probes.stop();
    watch.stop();
    operatorThread.end();
    accessLogs.await(LOG_PATIENCE);
    return !failed;
  }

  /** How many connections ended so, since the start. */
  public Map<Outcome, Long> outcomes() {
    return StatusReport.outcomes(loops);
  }

  /** The other counts, since the start. */
  public Map<Counter, Long> counts() {
    return StatusReport.counts(loops);
  }
}
