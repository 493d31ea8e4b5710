package dev.peekpass.proxy;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.Channel.Passing;
import dev.peekpass.proxy.config.BackendConfig;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A backend as one loop sees it: channels to its UNIX sockets, taken in turn, and the connections
 * that wait while none of them takes any.
 *
 * <p>Waiting is bounded twice: by {@code max-queue} connections, and by {@code hand-off-timeout}
 * for each. They leave in the order they came.
 */
final class Backend {
  /** First wait before trying a socket again that cannot tell when to, and the longest. */
  private static final long RETRY_MIN_NANOS = 5_000_000;

  private static final long RETRY_MAX_NANOS = 250_000_000;

  private final Loop loop;
  private final BackendConfig config;
  private final Channel[] channels;
  private final ConnectionQueue waiting = new ConnectionQueue();
  private final long handOffTimeoutNanos;
  private int nextChannel;
  private long retryAtNanos = Long.MAX_VALUE;
  private long retryNanos = RETRY_MIN_NANOS;

  Backend(Loop loop, BackendConfig config) {
    this.loop = loop;
    this.config = config;
    handOffTimeoutNanos = config.handOffTimeout().toNanos();
    List<String> paths = config.socketPaths();
    channels = new Channel[paths.size()];
    for (int i = 0; i < channels.length; i++) {
      channels[i] = channel(paths.get(i));
    }
  }

  private Channel channel(String path) {
    return switch (config.method()) {
      case ONCE -> new OnceChannel(loop, this, path);
      case PERSISTENT -> new ConnectedChannel(loop, this, path, Linux.SOCK_STREAM);
      case DATAGRAM -> new ConnectedChannel(loop, this, path, Linux.SOCK_DGRAM);
      case AUTO -> new ConnectedChannel(loop, this, path, Linux.SOCK_STREAM, Linux.SOCK_DGRAM);
    };
  }

  String name() {
    return config.name();
  }

  /**
   * Takes charge of a routed connection: passes it now, or keeps it until it can be passed or its
   * time is up.
   *
   * @param connection not watched by the poller. Its descriptor is closed once passed
   */
  void handOff(Connection connection) {
    connection.backend = this;
    if (waiting.isEmpty() && passToAny(connection)) {
      loop.end(connection, passedOutcome(connection));
      return;
    }
    if (waiting.size() >= config.maxQueue()) {
      loop.counters().count(Counter.MAX_QUEUE_REACHED);
      unavailable(connection);
      return;
    }
    loop.counters().count(Counter.QUEUED);
    long now = loop.nowNanos();
    waiting.add(connection, now + handOffTimeoutNanos);
    loop.wakeBy(connection.deadlineNanos);
    if (retryAtNanos == Long.MAX_VALUE) {
      scheduleRetry(now);
    }
  }

  /** Passes what waits, as far as the channels take it. */
  void pump() {
    for (Connection first = waiting.first(); first != null; first = waiting.first()) {
      if (!passToAny(first)) {
        return;
      }
      waiting.remove(first);
      loop.end(first, passedOutcome(first));
    }
    retryAtNanos = Long.MAX_VALUE;
    retryNanos = RETRY_MIN_NANOS;
  }

  private static Outcome passedOutcome(Connection connection) {
    return connection.onFallback ? Outcome.PASSED_TO_FALLBACK : Outcome.PASSED;
  }

  private boolean passToAny(Connection connection) {
    for (int tried = 0; tried < channels.length; tried++) {
      Channel channel = channels[nextChannel];
      nextChannel = nextChannel + 1 == channels.length ? 0 : nextChannel + 1;
      if (channel.pass(connection.fd) == Passing.PASSED) {
        return true;
      }
    }
    return false;
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  long runTimers(long nowNanos) {
    for (@Nullable Connection late = waiting.pollExpired(nowNanos);
        late != null;
        late = waiting.pollExpired(nowNanos)) {
      loop.counters().count(Counter.HAND_OFF_TIMED_OUT);
      unavailable(late);
    }
    if (waiting.isEmpty()) {
      retryAtNanos = Long.MAX_VALUE;
      retryNanos = RETRY_MIN_NANOS;
    } else if (retryAtNanos <= nowNanos) {
      int before = waiting.size();
      pump();
      if (!waiting.isEmpty()) {
        boolean progress = waiting.size() < before;
        retryNanos = progress ? RETRY_MIN_NANOS : Math.min(2 * retryNanos, RETRY_MAX_NANOS);
        scheduleRetry(nowNanos);
      }
    }
    return Math.min(retryAtNanos, waiting.nextDeadlineNanos());
  }

  private void scheduleRetry(long nowNanos) {
    retryAtNanos = nowNanos + retryNanos;
    loop.wakeBy(retryAtNanos);
  }

  private static void unavailable(Connection connection) {
    connection.listener.onBackendUnavailable(connection);
  }

  /** Whether connections wait here. */
  boolean isIdle() {
    return waiting.isEmpty();
  }

  /** Ends what still waits and closes the channels. */
  void close() {
    for (Connection c = waiting.first(); c != null; c = waiting.first()) {
      waiting.remove(c);
      loop.end(c, Outcome.STOPPED);
    }
    for (Channel channel : channels) {
      channel.close();
    }
  }
}
