package dev.peekpass.proxy;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Method;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A backend as one loop sees it: channels to its UNIX sockets, taken in turn, and the connections
 * that wait while none of them takes any.
 *
 * <pre>{@code
 *           nothing waits         full, or the turn ends      a channel took it
 * handOff ────────────────> batch ───────────────────────> pass ──────────────> ended: passed
 *    │ something waits                                      │ none did   ^
 *    └──────────────────────────> waiting <─────────────────┘            │
 *                                    └─── room again, or time to retry ──┘
 * }</pre>
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

  /**
   * The next message. Between two calls it holds connections of this turn only, which stand in no
   * queue and are owned by it, and only while nothing waits: so the order is kept.
   */
  private final Batch batch;

  /** How many connections make the batch full. */
  private int atOnce;

  private final long handOffTimeoutNanos;
  private boolean flushAsked;
  private boolean drained;
  private long passedCount;
  private int nextChannel;

  /** Whose {@link Channel#pass} was the last to succeed. */
  private Channel passedBy;

  private long retryAtNanos = Long.MAX_VALUE;
  private long retryNanos = RETRY_MIN_NANOS;

  /**
   * Makes a backend without a channel that is open.
   *
   * @param drained whether it gets no new connections
   */
  Backend(Loop loop, BackendConfig config, boolean drained) {
    this.loop = loop;
    this.config = config;
    atOnce = config.batch();
    batch = new Batch(Math.max(atOnce, AcknowledgedChannel.MOST_AT_ONCE));
    this.drained = drained;
    handOffTimeoutNanos = config.handOffTimeout().toNanos();
    List<String> paths = config.socketPaths();
    channels = new Channel[paths.size()];
    for (int i = 0; i < channels.length; i++) {
      channels[i] = channel(paths.get(i));
    }
    passedBy = channels[0];
  }

  private Channel channel(String path) {
    return switch (config.method()) {
      case ONCE -> new OnceChannel(loop, this, path);
      case PERSISTENT -> new ConnectedChannel(loop, this, path, Linux.SOCK_STREAM);
      case DATAGRAM -> new ConnectedChannel(loop, this, path, Linux.SOCK_DGRAM);
      case ACKNOWLEDGED -> new AcknowledgedChannel(loop, this, path);
      case AUTO -> new AutoChannel(loop, this, path);
    };
  }

  String name() {
    return config.name();
  }

  /** How many connections go into one message of the plain methods at most. */
  int batch() {
    return config.batch();
  }

  BackendConfig config() {
    return config;
  }

  /** Whether it gets no new connections: they are treated as though it took none. */
  void setDrained(boolean drained) {
    this.drained = drained;
  }

  /** How long a receiver has to acknowledge. */
  long ackTimeoutNanos() {
    return config.ackTimeout().toNanos();
  }

  /** Whether its sockets may be such as the plain methods need. */
  boolean mayBePlain() {
    return config.method() == Method.AUTO;
  }

  /** Lets connections of one turn gather to a message, since a receiver takes so many at once. */
  void gather(int connections) {
    atOnce = Math.max(atOnce, connections);
  }

  /**
   * Takes charge of a routed connection: passes it now, or with others of this turn at its end at
   * the latest, or keeps it until it can be passed or its time is up.
   *
   * @param connection not watched by the poller. Its descriptor is closed once passed
   */
  void handOff(Connection connection) {
    connection.backend = this;
    connection.deadlineNanos = loop.nowNanos() + handOffTimeoutNanos;
    if (drained) {
      loop.counters().count(Counter.DRAINED);
      unavailable(connection);
      return;
    }
    if (!waiting.isEmpty()) {
      await(connection);
      return;
    }
    batch.add(connection);
    if (batch.size() >= atOnce) {
      flush();
    } else if (!flushAsked) {
      flushAsked = true;
      loop.flushLater(this);
    }
  }

  /** The turn ends: passes what it has gathered. */
  void endTurn() {
    flushAsked = false;
    flush();
  }

  /** Passes the batch; what no channel takes waits. Nothing is left in it, whatever happens. */
  private void flush() {
    try {
      while (!batch.isEmpty()) {
        int passed = passToAny();
        if (passed == 0) {
          break;
        }
        for (int i = 0; i < passed; i++) {
          Connection passedOne = batch.get(0);
          batch.removeFirst();
          passedBy.passed(passedOne);
        }
      }
      while (!batch.isEmpty()) {
        await(batch.get(0));
        batch.removeFirst();
      }
    } catch (RuntimeException e) {
      loop.log().error("backend {}: a hand-off failed on a fault in Peekpass", name(), e);
      while (!batch.isEmpty()) {
        Connection failed = batch.get(0);
        batch.removeFirst();
        if (failed.queue != null) {
          failed.queue.remove(failed);
        }
        loop.end(failed, Outcome.FAILED);
      }
    }
  }

  private void await(Connection connection) {
    if (waiting.size() >= config.maxQueue()) {
      loop.counters().count(Counter.MAX_QUEUE_REACHED);
      unavailable(connection);
      return;
    }
    loop.counters().count(Counter.QUEUED);
    waiting.add(connection, connection.deadlineNanos);
    awaitChannel(connection);
  }

  private void awaitChannel(Connection connection) {
    loop.wakeBy(connection.deadlineNanos);
    if (retryAtNanos == Long.MAX_VALUE) {
      scheduleRetry(loop.nowNanos());
    }
  }

  /**
   * Takes charge again of a connection that was passed: it waits, at the head of the queue, for
   * another receiver or another try. Its deadline is the old one. That it was counted once is why
   * {@code max-queue} does not apply.
   *
   * @param connection in no queue, touched by nobody
   */
  void takeBack(Connection connection) {
    loop.counters().count(Counter.TAKEN_BACK);
    connection.offeredBefore = true;
    waiting.putBack(connection, connection.deadlineNanos);
    awaitChannel(connection);
  }

  /** Passes what waits, as far as the channels take it. */
  void pump() {
    if (!batch.isEmpty() && !waiting.isEmpty()) {
      // Something was taken back in the turn that gathered it.
      flush();
    }
    while (!waiting.isEmpty()) {
      if (passWaiting() == 0) {
        return;
      }
    }
    retryAtNanos = Long.MAX_VALUE;
    retryNanos = RETRY_MIN_NANOS;
  }

  /** Passes the first that wait, in one message; returns how many, the others stay. */
  private int passWaiting() {
    try {
      for (Connection c = waiting.first(); c != null && !batch.isFull(); c = c.next) {
        batch.add(c);
      }
      int passed = passToAny();
      for (int i = 0; i < passed; i++) {
        // Not the first of the queue any more, if others were taken back meanwhile.
        Connection passedOne = batch.get(i);
        waiting.remove(passedOne);
        passedBy.passed(passedOne);
      }
      return passed;
    } finally {
      batch.clear();
    }
  }

  /** Ends a connection that is the receiver's. */
  void endPassed(Connection connection) {
    passedCount++;
    loop.end(connection, connection.onFallback ? Outcome.PASSED_TO_FALLBACK : Outcome.PASSED);
  }

  /** Offers the batch to one channel after the other; returns how many of it the first took. */
  private int passToAny() {
    for (int tried = 0; tried < channels.length; tried++) {
      Channel channel = channels[nextChannel];
      nextChannel = nextChannel + 1 == channels.length ? 0 : nextChannel + 1;
      int passed = channel.pass(batch);
      if (passed > 0) {
        passedBy = channel;
        return passed;
      }
    }
    return 0;
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  long runTimers(long nowNanos) {
    long due = Long.MAX_VALUE;
    int before = waiting.size();
    for (Channel channel : channels) {
      due = Math.min(due, channel.runTimers(nowNanos));
    }
    if (waiting.size() > before) {
      pump();
    }
    return Math.min(due, runQueue(nowNanos));
  }

  private long runQueue(long nowNanos) {
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

  /** What is to be told of it. */
  BackendStatus status() {
    List<BackendStatus.Socket> sockets =
        Arrays.stream(channels).map(c -> new BackendStatus.Socket(c.path, c.state())).toList();
    return new BackendStatus(name(), drained, passedCount, waiting.size(), sockets);
  }

  /** Whether no connection is here. */
  boolean isIdle() {
    for (Channel channel : channels) {
      if (!channel.isIdle()) {
        return false;
      }
    }
    return waiting.isEmpty() && batch.isEmpty();
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
