package dev.peekpass.proxy.probe;

import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.advice.Reason;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.ProbeConfig;
import java.io.IOException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks one socket of a backend again and again, in a thread of its own: makes a connection over
 * loopback, hands one end to the receiver as a client's would be, and speaks on the other.
 */
final class Prober implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.proxy");

  private final BackendConfig backend;
  private final String path;
  private final ProbeConfig config;
  private final Supplier<? extends Kernel> kernels;
  private final Deadlines deadlines;
  private final BiConsumer<Kernel, Boolean> onChange;
  private final Health health;
  private final TlsQuestion tls = new TlsQuestion();

  /**
   * Prepares.
   *
   * @param backend has a probe
   * @param deadlines end what takes too long
   * @param onChange gets whether the socket is healthy whenever that changes, and the calling
   *     thread's kernel
   */
  Prober(
      BackendConfig backend,
      String path,
      Supplier<? extends Kernel> kernels,
      Deadlines deadlines,
      BiConsumer<Kernel, Boolean> onChange) {
    this.backend = backend;
    this.path = path;
    this.kernels = kernels;
    this.deadlines = deadlines;
    this.onChange = onChange;
    config = backend.probe().orElseThrow();
    health = new Health(config.rise(), config.fall());
  }

  /** Asks until it is interrupted. */
  @Override
  public void run() {
    Kernel kernel = kernels.get();
    SingleHandOff handOff = new SingleHandOff(kernel, backend.method(), path);
    try {
      while (!Thread.currentThread().isInterrupted()) {
        long began = System.nanoTime();
        Finding answer = ask(kernel, handOff);
        if (Thread.currentThread().isInterrupted()) {
          return;
        }
        if (health.record(!(answer instanceof Finding.Bad))) {
          report(answer);
          onChange.accept(kernel, health.isHealthy());
        }
        long left = config.every().toNanos() - (System.nanoTime() - began);
        TimeUnit.NANOSECONDS.sleep(Math.max(left, 0));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void report(Finding answer) {
    if (answer instanceof Finding.Bad(String why)) {
      LOG.warn(
          "backend {}: unix:{} is unhealthy: {} probes in a row have failed, the last one: {}: it"
              + " gets nothing until {} succeed: look at the receiver",
          backend.name(),
          path,
          config.fall(),
          why,
          config.rise());
    } else {
      LOG.info("backend {}: unix:{} is healthy again", backend.name(), path);
    }
  }

  /** One probe; it takes hardly longer than its timeout, whatever the receiver does. */
  private Finding ask(Kernel kernel, SingleHandOff handOff) {
    int timeoutMillis = (int) config.timeout().toMillis();
    try (LoopbackPair pair = LoopbackPair.open(kernel, timeoutMillis)) {
      Future<?> deadline = deadlines.closeAfter(pair.client, timeoutMillis);
      try {
        if (config.question() instanceof ProbeConfig.Http http) {
          HttpQuestion.send(http, pair.client);
        }
        Finding passed = handOff.pass(pair.accepted);
        return passed instanceof Finding.Good ? ask(pair) : passed;
      } catch (IOException e) {
        boolean late = pair.client.isClosed();
        return new Finding.Bad(late ? "no answer within " + timeoutMillis + " ms" : Reason.of(e));
      } finally {
        deadline.cancel(false);
      }
    } catch (IOException e) {
      // Not the receiver's fault: the same for every socket.
      LOG.warn("backend {}: unix:{} cannot be probed: {}", backend.name(), path, e.getMessage());
    } catch (RejectedExecutionException e) {
      LOG.debug("the probes have ended", e);
    } catch (RuntimeException e) {
      LOG.error("backend {}: a probe failed on a fault in Peekpass", backend.name(), e);
    }
    return health.isHealthy() ? new Finding.Good() : new Finding.Bad("it cannot be probed");
  }

  private Finding ask(LoopbackPair pair) throws IOException {
    // While this process has a copy, the receiver's close would not be seen.
    pair.closeAccepted();
    return switch (config.question()) {
      case ProbeConfig.Http http -> HttpQuestion.receive(http, pair.client);
      case ProbeConfig.Tls asked -> tls.ask(asked, pair.client);
    };
  }
}
