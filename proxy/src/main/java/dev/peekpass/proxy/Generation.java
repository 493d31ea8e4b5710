package dev.peekpass.proxy;

import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.backend.Backends;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.Lease;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.listen.Surroundings;
import dev.peekpass.wire.ParserScratch;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one loop makes of one configuration: its listeners, its backends and its access log.
 *
 * <p>A reload makes another one and the loop goes over to it between two events ({@link
 * Loop#swap}). The old one stays until its last connection has ended, so that a connection sees one
 * configuration from accept to its outcome.
 *
 * <p>Made on any thread; nothing is opened by it. From {@link Loop#begin} or {@link Loop#swap} on
 * it belongs to the loop.
 */
final class Generation implements Lease {
  private static final int LEAST_BUFFER_BYTES = 1 << 16;

  private final Loop loop;
  private final AccessLog accessLog;
  private final NativeBuffer buffer;
  private final Backends backends;
  private final List<Listener> listeners = new ArrayList<>();
  private final Map<Integer, ParserScratch> scratches = new HashMap<>();

  /** Connections that have not ended, and listening sockets. */
  private int held;

  private boolean retired;

  /**
   * Makes a generation.
   *
   * @param before the loop's latest, or null for its first
   * @param sockets what it listens on; owned by the loop once it begins or swaps
   * @param drained names of backends that get no new connections
   */
  Generation(
      Loop loop,
      @Nullable Generation before,
      Configuration configuration,
      List<SocketPlan.Assigned> sockets,
      Set<String> drained,
      AccessLog accessLog) {
    this.loop = loop;
    this.accessLog = accessLog;
    buffer = buffer(before, configuration);
    backends =
        new Backends(
            before == null ? null : before.backends,
            configuration,
            config ->
                new Backend(
                    loop.turn(),
                    loop.ending(),
                    loop.gathering(),
                    config,
                    drained.contains(config.name())));
    Surroundings around =
        new Surroundings(
            loop.turn(),
            loop.ending(),
            loop.refuser(),
            loop.gathering(),
            backends,
            accessLog,
            buffer,
            loop.clients(),
            configuration.perClient(),
            this);
    for (SocketPlan.Assigned assigned : sockets) {
      ParserScratch scratch =
          scratches.computeIfAbsent(assigned.config().maxPeekBytes(), ParserScratch::new);
      listeners.add(new Listener(around, assigned.config(), assigned.socket(), scratch));
    }
  }

  private static NativeBuffer buffer(@Nullable Generation before, Configuration configuration) {
    int bytes = LEAST_BUFFER_BYTES;
    for (var listener : configuration.listeners()) {
      bytes = Math.max(bytes, listener.maxPeekBytes());
    }
    return before != null && before.buffer.capacity() >= bytes
        ? before.buffer
        : new NativeBuffer(bytes);
  }

  /** Where its connections are logged. */
  AccessLog accessLog() {
    return accessLog;
  }

  /** Its listeners, those without their socket any more too. */
  List<Listener> listeners() {
    return listeners;
  }

  /** Its backends; those that are as before are the same objects. */
  Backends backends() {
    return backends;
  }

  @Override
  public void enter() {
    held++;
  }

  @Override
  public void leave() {
    held--;
    if (held == 0 && retired) {
      loop.sweepLater();
    }
  }

  /** It is no longer the loop's latest: it may go once nothing needs it. */
  void retire() {
    retired = true;
  }

  /** Whether nothing needs it. */
  boolean isUnused() {
    return retired && held == 0;
  }
}
