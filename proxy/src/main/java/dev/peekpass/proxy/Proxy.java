package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ListenerConfig;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running proxy: its loops, a thread each.
 *
 * <p>Either all listeners of a configuration are bound or none is. {@link #stop} may be called from
 * any thread; the other methods too.
 */
public final class Proxy {
  private static final Logger LOG = LoggerFactory.getLogger(Proxy.class);

  private final List<Loop> loops = new ArrayList<>();
  private final List<AccessLog> accessLogs = new ArrayList<>();
  private final List<Thread> logThreads = new ArrayList<>();
  private final List<String> addresses = new ArrayList<>();
  private final CountDownLatch ended;
  private final Supplier<? extends Kernel> kernels;
  private volatile boolean failed;

  private Proxy(Configuration configuration, Supplier<? extends Kernel> kernels) {
    this.kernels = kernels;
    ended = new CountDownLatch(configuration.threads());
  }

  /**
   * Binds every listener and begins to accept.
   *
   * @param kernels opens the way to the kernel for one thread, at each call
   * @param accessLog where the access log goes, when the configuration asks for one
   * @throws SystemCallException when a listener cannot be bound; nothing is left open
   */
  public static Proxy start(
      Configuration configuration, Supplier<? extends Kernel> kernels, PrintStream accessLog)
      throws SystemCallException {
    Proxy proxy = new Proxy(configuration, kernels);
    Kernel kernel = kernels.get();
    List<ListenerSocket> opened = new ArrayList<>();
    List<List<ListenerSocket>> byLoop = new ArrayList<>();
    int threads = configuration.threads();
    for (int i = 0; i < threads; i++) {
      byLoop.add(new ArrayList<>());
    }
    try {
      for (ListenerConfig listener : configuration.listeners()) {
        List<List<ListenerSocket>> sockets = ListenerSocket.open(kernel, listener, threads);
        for (int i = 0; i < threads; i++) {
          byLoop.get(i).addAll(sockets.get(i));
          opened.addAll(sockets.get(i));
        }
        sockets.getFirst().forEach(socket -> proxy.addresses.add(socket.label()));
      }
      for (int i = 0; i < threads; i++) {
        AccessLog log = new AccessLog(configuration.accessLog() ? accessLog : null);
        Loop loop = new Loop(kernels.get(), configuration, log);
        byLoop.get(i).forEach(loop::add);
        proxy.accessLogs.add(log);
        proxy.loops.add(loop);
      }
    } catch (SystemCallException e) {
      proxy.loops.forEach(Loop::discard);
      opened.forEach(socket -> kernel.close(socket.fd()));
      throw e;
    }
    proxy.startThreads();
    return proxy;
  }

  private void startThreads() {
    for (AccessLog log : accessLogs) {
      @Nullable Thread writer = log.start();
      if (writer != null) {
        logThreads.add(writer);
      }
    }
    for (int i = 0; i < loops.size(); i++) {
      Loop loop = loops.get(i);
      AccessLog log = accessLogs.get(i);
      Thread.ofPlatform().name("loop-" + i).start(() -> run(loop, log));
    }
  }

  private void run(Loop loop, AccessLog log) {
    try {
      loop.run();
    } catch (RuntimeException | Error e) {
      failed = true;
      LOG.error("a loop ended on a fault in Peekpass: stopping", e);
      // A proxy that listens and does not accept is worse than one that is seen to be gone.
      stop();
    } finally {
      log.close();
      ended.countDown();
    }
  }

  /** The addresses bound, with their real ports, in the order of the configuration. */
  public List<String> addresses() {
    return List.copyOf(addresses);
  }

  /** Asks all loops to end; returns at once. */
  public void stop() {
    Kernel kernel = kernels.get();
    loops.forEach(loop -> loop.stop(kernel));
  }

  /**
   * Waits until all loops have ended and the access log is written.
   *
   * @return whether they ended because they were asked to
   * @throws InterruptedException when the waiting thread is interrupted
   */
  public boolean await() throws InterruptedException {
    ended.await();
    for (Thread writer : logThreads) {
      writer.join();
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
