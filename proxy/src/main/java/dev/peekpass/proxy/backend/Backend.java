package dev.peekpass.proxy.backend;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Balance;
import dev.peekpass.proxy.config.Method;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.handoff.AcknowledgedChannel;
import dev.peekpass.proxy.handoff.AutoChannel;
import dev.peekpass.proxy.handoff.Channel;
import dev.peekpass.proxy.handoff.ConnectedChannel;
import dev.peekpass.proxy.handoff.OnceChannel;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A backend as one loop sees it: channels to its UNIX sockets, chosen by a {@link Rotation}, and
 * the connections that wait while none of them takes any.
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
public final class Backend implements Rotation.Sockets {
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
  private final Rotation rotation;
  private final boolean leastConnections;

  /** Whether there is one socket and nothing else to choose, which is worth being quick for. */
  private final boolean alone;

  /** The next messages, by socket, while the batch is spread over them. */
  private final Batch[] parts;

  /** Which sockets have taken nothing in this attempt. */
  private final boolean[] tried;

  /** What probes say of the sockets. */
  private final boolean[] healthy;

  private final SlowStart[] starts;

  /** Whether sockets are tried now that are known not to be ready. */
  private boolean tryingAll;

  private boolean flushAsked;
  private boolean drained;
  private long passedCount;
  private long retryAtNanos = Long.MAX_VALUE;
  private long retryNanos = RETRY_MIN_NANOS;

  /**
   * Makes a backend without a channel that is open.
   *
   * @param drained whether it gets no new connections
   */
  public Backend(Loop loop, BackendConfig config, boolean drained) {
    this.loop = loop;
    this.config = config;
    atOnce = config.batch();
    batch = new Batch(Math.max(atOnce, AcknowledgedChannel.MOST_AT_ONCE));
    this.drained = drained;
    handOffTimeoutNanos = config.handOffTimeout().toNanos();
    List<String> paths = config.socketPaths();
    int sockets = paths.size();
    rotation = Rotation.of(config.balance(), paths);
    leastConnections = config.balance() == Balance.LEAST_CONNECTIONS;
    alone = sockets == 1 && config.backup().isEmpty() && config.probe().isEmpty();
    tried = new boolean[sockets];
    healthy = new boolean[sockets];
    Arrays.fill(healthy, true);
    starts = new SlowStart[sockets];
    channels = new Channel[sockets];
    parts = new Batch[sockets];
    for (int i = 0; i < sockets; i++) {
      starts[i] = new SlowStart(config.slowStart().toNanos());
      channels[i] = channel(paths.get(i));
      parts[i] = new Batch(batch.capacity());
    }
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

  public String name() {
    return config.name();
  }

  /** How many connections go into one message of the plain methods at most. */
  public int batch() {
    return config.batch();
  }

  public BackendConfig config() {
    return config;
  }

  /** Whether it gets no new connections: they are treated as though it took none. */
  public void setDrained(boolean drained) {
    this.drained = drained;
  }

  /** How long a receiver has to acknowledge. */
  public long ackTimeoutNanos() {
    return config.ackTimeout().toNanos();
  }

  /** Whether its sockets may be such as the plain methods need. */
  public boolean mayBePlain() {
    return config.method() == Method.AUTO;
  }

  /** Whether connections of one turn gather to a message. */
  public boolean gathers() {
    return atOnce > 1;
  }

  /** Lets connections of one turn gather to a message, since a receiver takes so many at once. */
  public void gather(int connections) {
    atOnce = Math.max(atOnce, connections);
  }

  /**
   * Takes charge of a routed connection: passes it now, or with others of this turn at its end at
   * the latest, or keeps it until it can be passed or its time is up.
   *
   * @param connection not watched by the poller. Its descriptor is closed once passed
   */
  public void handOff(Connection connection) {
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
  public void endTurn() {
    flushAsked = false;
    flush();
  }

  /** Passes the batch; what no channel takes waits. Nothing is left in it, whatever happens. */
  private void flush() {
    try {
      pass();
      boolean elsewhere = !batch.isEmpty() && isToBackUp();
      while (!batch.isEmpty()) {
        Connection left = batch.get(0);
        batch.removeFirst();
        if (elsewhere) {
          backUp(left);
        } else {
          await(left);
        }
      }
    } catch (RuntimeException e) {
      loop.log().error("backend {}: a hand-off failed on a fault in Peekpass", name(), e);
      fail(batch);
      for (Batch part : parts) {
        fail(part);
      }
    }
  }

  private void fail(Batch failed) {
    while (!failed.isEmpty()) {
      Connection connection = failed.get(0);
      failed.removeFirst();
      if (connection.queue != null) {
        connection.queue.remove(connection);
      }
      loop.end(connection, Outcome.FAILED);
    }
  }

  /**
   * Passes the batch as far as the channels take it, returns how many; the others are left in it.
   */
  private int pass() {
    if (alone) {
      return pass(channels[0], batch);
    }
    Arrays.fill(tried, false);
    int sum = 0;
    for (int passed = passSome(); passed > 0; passed = passSome()) {
      sum += passed;
    }
    return sum;
  }

  private int passSome() {
    if (batch.isEmpty() || (config.balance() == Balance.SOURCE_HASH && isGreeting())) {
      // Within a moment it is known whose turn the client is.
      return 0;
    }
    return atOnce == 1 ? passFirst() : spread();
  }

  /** Passes the first of the batch to the first socket that takes it, so that they keep order. */
  private int passFirst() {
    Connection first = batch.get(0);
    for (int i = next(first); i != Rotation.NONE; i = next(first)) {
      parts[i].add(first);
      if (pass(channels[i], parts[i]) > 0) {
        batch.removeFirst();
        return 1;
      }
      parts[i].clear();
      tried[i] = true;
    }
    return 0;
  }

  private int next(Connection connection) {
    return rotation.next(this, connection.peerHigh, connection.peerLow);
  }

  /** Chooses a socket for each of the batch, and sends each socket's together. */
  private int spread() {
    for (int i = 0; i < channels.length; i++) {
      tried[i] |= healthy[i] && !channels[i].prepare();
    }
    int count = batch.size();
    for (int i = 0; i < count; i++) {
      int socket = next(batch.get(i));
      if (socket == Rotation.NONE) {
        return 0; // for the first, if at all: the answers do not change meanwhile
      }
      parts[socket].add(batch.get(i));
    }
    batch.clear();
    int passed = 0;
    for (int i = 0; i < channels.length; i++) {
      passed += pass(channels[i], parts[i]);
      tried[i] |= !parts[i].isEmpty();
    }
    for (Batch part : parts) {
      while (!part.isEmpty()) {
        batch.add(part.get(0));
        part.removeFirst();
      }
    }
    return passed;
  }

  /** Passes what a channel takes, returns how many; the others are left in the batch. */
  private static int pass(Channel channel, Batch message) {
    int sum = 0;
    while (!message.isEmpty()) {
      int passed = channel.pass(message);
      if (passed == 0) {
        break;
      }
      sum += passed;
      for (int i = 0; i < passed; i++) {
        Connection connection = message.get(0);
        message.removeFirst();
        if (connection.queue != null) {
          connection.queue.remove(connection);
        }
        channel.passed(connection);
      }
    }
    return sum;
  }

  private boolean isGreeting() {
    for (Channel channel : channels) {
      if (channel.isGreeting()) {
        return true;
      }
    }
    return false;
  }

  @Override
  public boolean mayTake(int socket) {
    return !tried[socket] && healthy[socket] && channels[socket].isReady();
  }

  @Override
  public long busy(int socket) {
    int more = parts[socket].size();
    return leastConnections
        ? channels[socket].busyMillionths(more)
        : channels[socket].unreceivedBytes(more);
  }

  @Override
  public int share(int socket) {
    return starts[socket].share(loop.nowNanos());
  }

  /** Whether sockets are to be tried that are not due: when there is nothing else. */
  public boolean triesAll() {
    return alone || tryingAll;
  }

  /** A receiver that was gone takes connections again. */
  public void cameBack(Channel channel) {
    for (int i = 0; i < channels.length; i++) {
      if (channels[i].path.equals(channel.path)) {
        starts[i].begin(loop.nowNanos());
      }
    }
  }

  /** Puts a socket out of the rotation or back, as a probe says. */
  public void setHealthy(int socket, boolean is) {
    if (is && !healthy[socket]) {
      starts[socket].begin(loop.nowNanos());
    }
    healthy[socket] = is;
    pump();
  }

  /** Whether its connections are another backend's, since no receiver of its own is there. */
  private boolean isToBackUp() {
    if (config.backup().isEmpty()) {
      return false;
    }
    for (int i = 0; i < channels.length; i++) {
      if (healthy[i] && channels[i].isThere()) {
        return false;
      }
    }
    return true;
  }

  private void backUp(Connection connection) {
    loop.counters().count(Counter.BACKED_UP);
    connection.listener.setup().backend(config.backup().orElseThrow()).handOff(connection);
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
  public void takeBack(Connection connection) {
    loop.counters().count(Counter.TAKEN_BACK);
    connection.offeredBefore = true;
    waiting.putBack(connection, connection.deadlineNanos);
    awaitChannel(connection);
  }

  /** Passes what waits, as far as the channels take it. */
  public void pump() {
    if (!batch.isEmpty() && !waiting.isEmpty()) {
      // Something was taken back in the turn that gathered it.
      flush();
    }
    while (!waiting.isEmpty() && passWaiting()) {}
    if (!waiting.isEmpty() && isToBackUp()) {
      for (Connection c = waiting.first(); c != null; c = waiting.first()) {
        waiting.remove(c);
        backUp(c);
      }
    }
    if (waiting.isEmpty()) {
      retryAtNanos = Long.MAX_VALUE;
      retryNanos = RETRY_MIN_NANOS;
    }
  }

  /** Passes the first that wait; returns whether any of them was passed. The others stay. */
  private boolean passWaiting() {
    try {
      for (Connection c = waiting.first(); c != null && !batch.isFull(); c = c.next) {
        batch.add(c);
      }
      return pass() > 0;
    } finally {
      batch.clear();
      for (Batch part : parts) {
        part.clear();
      }
    }
  }

  /** Ends a connection that is the receiver's. */
  public void endPassed(Connection connection) {
    passedCount++;
    loop.end(connection, connection.onFallback ? Outcome.PASSED_TO_FALLBACK : Outcome.PASSED);
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  public long runTimers(long nowNanos) {
    long due = Long.MAX_VALUE;
    int before = waiting.size();
    for (Channel channel : channels) {
      due = Math.min(due, channel.runTimers(nowNanos));
    }
    if (waiting.size() > before || (!waiting.isEmpty() && isToBackUp())) {
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
      tryingAll = true;
      try {
        pump();
      } finally {
        tryingAll = false;
      }
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

  private void unavailable(Connection connection) {
    if (config.backup().isPresent()) {
      backUp(connection);
    } else {
      connection.listener.onBackendUnavailable(connection);
    }
  }

  /** What is to be told of it. */
  public BackendStatus status() {
    List<BackendStatus.Socket> sockets =
        IntStream.range(0, channels.length).mapToObj(this::socketStatus).toList();
    return new BackendStatus(name(), drained, passedCount, waiting.size(), sockets);
  }

  private BackendStatus.Socket socketStatus(int i) {
    Channel channel = channels[i];
    return new BackendStatus.Socket(
        channel.path,
        healthy[i] ? channel.state() : ChannelState.UNHEALTHY,
        channel.passedCount(),
        channel.unsettled(),
        channel.load(),
        share(i));
  }

  /** Whether no connection is here. */
  public boolean isIdle() {
    for (Channel channel : channels) {
      if (!channel.isIdle()) {
        return false;
      }
    }
    return waiting.isEmpty() && batch.isEmpty();
  }

  /** Ends what still waits and closes the channels. */
  public void close() {
    for (Connection c = waiting.first(); c != null; c = waiting.first()) {
      waiting.remove(c);
      loop.end(c, Outcome.STOPPED);
    }
    for (Channel channel : channels) {
      channel.close();
    }
  }
}
