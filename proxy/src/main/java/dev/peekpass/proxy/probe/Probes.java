package dev.peekpass.proxy.probe;

import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.config.BackendConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The probes of a configuration's backends, a thread for each of their sockets. A backend that
 * stays the same through a reload keeps its own.
 *
 * <p>They are platform threads, and daemons: close(2) of what a receiver had waits if that wills it
 * (SO_LINGER), and would hold up all virtual threads.
 */
public final class Probes {
  /** Gets what probes find. */
  public interface Listener {
    /**
     * A socket has become unhealthy, or healthy again. All begin healthy.
     *
     * @param kernel the calling thread's
     * @param socket its place among the backend's, from 0
     */
    void onHealth(Kernel kernel, BackendConfig backend, int socket, boolean healthy);
  }

  private record Running(BackendConfig backend, List<Thread> threads) {}

  private final Supplier<? extends Kernel> kernels;
  private final Listener listener;
  private final Deadlines deadlines = new Deadlines();
  private List<Running> running = List.of();
  private boolean stopped;

  /**
   * Begins with none.
   *
   * @param kernels opens the way to the kernel for one thread, at each call
   * @param listener called by threads of this
   */
  public Probes(Supplier<? extends Kernel> kernels, Listener listener) {
    this.kernels = kernels;
    this.listener = listener;
  }

  /** Goes over to the probes of other backends; does nothing once stopped. */
  public synchronized void update(List<BackendConfig> backends) {
    if (!stopped) {
      replace(backends);
    }
  }

  private void replace(List<BackendConfig> backends) {
    List<Running> next = new ArrayList<>();
    List<Running> old = new ArrayList<>(running);
    for (BackendConfig backend : backends) {
      if (backend.probe().isPresent()) {
        Running same =
            old.stream().filter(one -> one.backend.isSameAs(backend)).findFirst().orElse(null);
        old.remove(same);
        next.add(same != null ? same : start(backend));
      }
    }
    old.forEach(one -> one.threads.forEach(Thread::interrupt));
    running = List.copyOf(next);
  }

  private Running start(BackendConfig backend) {
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < backend.socketPaths().size(); i++) {
      int socket = i;
      Prober prober =
          new Prober(
              backend,
              backend.socketPaths().get(i),
              kernels,
              deadlines,
              (kernel, healthy) -> listener.onHealth(kernel, backend, socket, healthy));
      threads.add(
          Thread.ofPlatform().daemon().name("probe-" + backend.name() + "-" + i).start(prober));
    }
    return new Running(backend, threads);
  }

  /** Asks no more; returns at once. */
  public synchronized void stop() {
    stopped = true;
    replace(List.of());
    deadlines.end();
  }
}
