package dev.peekpass.proxy;

import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.wire.ParserScratch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one loop makes of one configuration: its listeners, its backends and its access log.
 *
 * <p>A reload makes another one and the loop goes over to it between two events ({@link
 * Loop#swap}). The old one stays until its last connection has ended, so that a connection sees one
 * configuration from accept to its outcome: its {@link Listener} belongs to one setup for good.
 *
 * <p>Made on any thread; nothing is opened by it. From {@link Loop#begin} or {@link Loop#swap} on
 * it belongs to the loop.
 */
@SuppressWarnings("exports")
public final class Setup {
  private static final int LEAST_BUFFER_BYTES = 1 << 16;

  public final Loop loop;
  public final AccessLog accessLog;
  public final NativeBuffer buffer;
  public final List<Listener> listeners = new ArrayList<>();

  /** By their index in the configuration. Those that are as before are the same objects. */
  private final Backend[] backends;

  private final Map<String, Backend> byName = new HashMap<>();

  private final Map<Integer, ParserScratch> scratches = new HashMap<>();

  /** Connections that have not ended, and listening sockets. */
  private int held;

  private boolean retired;

  /**
   * Makes a setup.
   *
   * @param before the loop's latest setup, or null for its first
   * @param sockets what it listens on; owned by the loop once it begins or swaps
   * @param drained names of backends that get no new connections
   */
  public Setup(
      Loop loop,
      @Nullable Setup before,
      Configuration configuration,
      List<SocketPlan.Assigned> sockets,
      Set<String> drained,
      AccessLog accessLog) {
    this.loop = loop;
    this.accessLog = accessLog;
    buffer = buffer(before, configuration);
    Map<String, Backend> old = new HashMap<>();
    if (before != null) {
      for (Backend backend : before.backends) {
        old.put(backend.name(), backend);
      }
    }
    backends = new Backend[configuration.backends().size()];
    for (BackendConfig config : configuration.backends()) {
      Backend same = old.get(config.name());
      backends[config.index()] =
          same != null && same.config().isSameAs(config)
              ? same
              : new Backend(loop, config, drained.contains(config.name()));
      byName.put(config.name(), backends[config.index()]);
    }
    for (SocketPlan.Assigned assigned : sockets) {
      ParserScratch scratch =
          scratches.computeIfAbsent(assigned.config().maxPeekBytes(), ParserScratch::new);
      listeners.add(new Listener(this, assigned.config(), assigned.socket(), scratch));
    }
  }

  private static NativeBuffer buffer(@Nullable Setup before, Configuration configuration) {
    int bytes = LEAST_BUFFER_BYTES;
    for (var listener : configuration.listeners()) {
      bytes = Math.max(bytes, listener.maxPeekBytes());
    }
    return before != null && before.buffer.capacity() >= bytes
        ? before.buffer
        : new NativeBuffer(bytes);
  }

  public Backend backend(int index) {
    return backends[index];
  }

  /** The backend of a name that the configuration has. */
  public Backend backend(String name) {
    return Objects.requireNonNull(byName.get(name), name);
  }

  /** The backends; the array is this object's. */
  public Backend[] backends() {
    return backends;
  }

  /** A connection or a listening socket has come that needs this setup. */
  public void enter() {
    held++;
  }

  /** One of them has gone. */
  public void leave() {
    if (--held == 0 && retired) {
      loop.sweepLater();
    }
  }

  /** It is no longer the loop's latest: it may go once nothing needs it. */
  public void retire() {
    retired = true;
  }

  /** Whether nothing needs it. */
  public boolean isUnused() {
    return retired && held == 0;
  }
}
