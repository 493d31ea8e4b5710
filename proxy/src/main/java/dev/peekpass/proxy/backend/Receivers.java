package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Balance;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Holder;
import dev.peekpass.proxy.handoff.Channel;
import dev.peekpass.proxy.handoff.Passing;
import dev.peekpass.proxy.status.BackendStatus;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A channel to each socket of a backend, and which of them is next: by the backend's {@link
 * Rotation}, what probes say, and what takes no connection just now.
 */
final class Receivers implements Rotation.Sockets {
  private final Turn turn;
  private final Ending ending;
  private final BackendConfig config;
  private final Channel[] channels;
  private final Rotation rotation;
  private final boolean leastConnections;

  /** Whether there is one socket and nothing else to choose, which is worth being quick for. */
  private final boolean alone;

  /** The next messages, by socket, while a batch is spread over them. */
  private final Batch[] parts;

  /** Which sockets have taken nothing in this attempt. */
  private final boolean[] tried;

  /** What became of a connection that only some receivers may have. */
  enum Bound {
    PASSED,
    /** One that may have it takes nothing just now, or may yet come. */
    NOT_NOW,
    /** There are receivers, and none that may have it. */
    NOBODY_MAY
  }

  /** What probes say of the sockets. */
  private final boolean[] healthy;

  private final SlowStart[] starts;

  /** Whether sockets are tried now that are known not to be ready. */
  private boolean tryingAll;

  /**
   * Makes channels that are not open.
   *
   * @param most how many connections a batch has
   */
  Receivers(Turn turn, Ending ending, Passing backend, BackendConfig config, int most) {
    this.turn = turn;
    this.ending = ending;
    this.config = config;
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
      channels[i] = Channel.of(turn, ending, backend, config, paths.get(i));
      parts[i] = new Batch(most);
    }
  }

  /**
   * Passes a batch as far as receivers take it, the first first. What is passed has left its
   * container; what is left goes on standing in it.
   *
   * @param together whether several may go in one message, which gives up their order where there
   *     are several sockets
   * @return how many were passed, or failed
   */
  int pass(Batch batch, boolean together) {
    if (alone) {
      return pass(channels[0], batch);
    }
    Arrays.fill(tried, false);
    int sum = 0;
    for (int passed = passSome(batch, together); passed > 0; passed = passSome(batch, together)) {
      sum += passed;
    }
    return sum;
  }

  private int passSome(Batch batch, boolean together) {
    if (batch.isEmpty() || (config.balance() == Balance.SOURCE_HASH && isGreeting())) {
      // Within a moment it is known whose turn the client is.
      return 0;
    }
    return together ? spread(batch) : passFirst(batch);
  }

  /**
   * Passes a connection that was at a receiver which is not trusted, and may have kept it: only
   * receivers of the same user may have it after that.
   *
   * @param one the connection alone
   */
  Bound passBound(Batch one) {
    Connection connection = one.get(0);
    boolean others = false;
    boolean mayCome = false;
    for (int i = 0; i < channels.length; i++) {
      Channel channel = channels[i];
      if (!healthy[i] || !prepare(channel)) {
        mayCome |= healthy[i];
      } else {
        // Whose receiver it is may be known only once it has been connected to (once).
        boolean known = channel.holder().uid() != Holder.UNKNOWN;
        boolean may = !known || connection.mayGoTo(channel.holder());
        if (may && channel.isReady() && pass(channel, one) > 0) {
          return Bound.PASSED;
        }
        boolean mayStill = connection.mayGoTo(channel.holder());
        mayCome |= mayStill;
        others |= !mayStill;
      }
    }
    return others && !mayCome ? Bound.NOBODY_MAY : Bound.NOT_NOW;
  }

  /** Passes the first of the batch to the first socket that takes it, so that they keep order. */
  private int passFirst(Batch batch) {
    Connection first = batch.get(0);
    for (int i = next(first); i != Rotation.NONE; i = next(first)) {
      parts[i].add(first);
      int passed = passPart(i);
      if (passed > 0) {
        batch.removeFirst();
        return passed;
      }
      tried[i] = true;
    }
    return 0;
  }

  private int next(Connection connection) {
    return rotation.next(this, connection.peerHigh, connection.peerLow);
  }

  /** Chooses a socket for each of the batch, and sends each socket's together. */
  private int spread(Batch batch) {
    for (int i = 0; i < channels.length; i++) {
      tried[i] |= healthy[i] && !prepare(channels[i]);
    }
    try {
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
        for (int i = 0; i < part.size(); i++) {
          batch.add(part.get(i));
        }
      }
      return passed;
    } finally {
      clearParts();
    }
  }

  private boolean prepare(Channel channel) {
    try {
      return channel.prepare();
    } catch (RuntimeException e) {
      giveUp(channel, e);
      return false;
    }
  }

  private void giveUp(Channel channel, RuntimeException e) {
    turn.fault("backend " + config.name() + ": unix:" + channel.path() + ": a hand-off failed", e);
    turn.contain(channel::abort);
  }

  private int passPart(int socket) {
    try {
      return pass(channels[socket], parts[socket]);
    } finally {
      parts[socket].clear();
    }
  }

  /**
   * Passes what a channel takes, returns how many; the others are left in the batch. A fault there
   * ends those that were in the message: nobody knows whether the receiver has them.
   */
  private int pass(Channel channel, Batch message) {
    int sum = 0;
    try {
      while (!message.isEmpty()) {
        int passed = channel.pass(message);
        if (passed == 0) {
          break;
        }
        sum += passed;
      }
    } catch (RuntimeException e) {
      int failed = channel.takeInFlight();
      sum += failed;
      fail(message, failed, channel.holder());
      giveUp(channel, e);
    }
    return sum;
  }

  /** Ends the first of a batch. */
  private void fail(Batch batch, int count, Holder holder) {
    for (int i = 0; i < count; i++) {
      Connection connection = batch.get(0);
      batch.removeFirst();
      connection.sharedWith(holder);
      turn.contain(() -> ending.fail(connection));
    }
  }

  private void clearParts() {
    for (Batch part : parts) {
      part.clear();
    }
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
    return starts[socket].share(turn.nowNanos());
  }

  /** Whether sockets are to be tried that are not due: when there is nothing else. */
  boolean triesAll() {
    return alone || tryingAll;
  }

  /** Does something in which sockets are tried that are known not to be ready. */
  void tryAll(Runnable attempt) {
    tryingAll = true;
    try {
      attempt.run();
    } finally {
      tryingAll = false;
    }
  }

  /** A receiver that was gone takes connections again. */
  void cameBack(String path) {
    for (int i = 0; i < channels.length; i++) {
      if (channels[i].path().equals(path)) {
        starts[i].begin(turn.nowNanos());
      }
    }
  }

  /** Puts a socket out of the rotation or back, as a probe says. */
  void setHealthy(int socket, boolean is) {
    if (is && !healthy[socket]) {
      starts[socket].begin(turn.nowNanos());
    }
    healthy[socket] = is;
  }

  /** Whether any is there, or nothing says that none is. */
  boolean areThere() {
    for (int i = 0; i < channels.length; i++) {
      if (healthy[i] && channels[i].isThere()) {
        return true;
      }
    }
    return false;
  }

  /** Connects each channel before there is a connection to pass. */
  void connectAhead() {
    for (Channel channel : channels) {
      try {
        channel.connectAhead();
      } catch (RuntimeException e) {
        giveUp(channel, e);
      }
    }
  }

  /** Does what is due in the channels; returns when something is due next. */
  long runTimers(long nowNanos) {
    long due = Long.MAX_VALUE;
    for (Channel channel : channels) {
      try {
        due = Math.min(due, channel.runTimers(nowNanos));
      } catch (RuntimeException e) {
        giveUp(channel, e);
      }
    }
    return due;
  }

  /** What is to be told of the sockets. */
  List<BackendStatus.Socket> status() {
    return IntStream.range(0, channels.length).mapToObj(this::socketStatus).toList();
  }

  private BackendStatus.Socket socketStatus(int i) {
    Channel channel = channels[i];
    return new BackendStatus.Socket(
        channel.path(),
        healthy[i] ? channel.state() : ChannelState.UNHEALTHY,
        healthy[i] ? channel.reason() : "",
        channel.passedCount(),
        channel.unsettled(),
        channel.load(),
        share(i));
  }

  /** Whether no channel keeps a connection. */
  boolean areIdle() {
    for (Channel channel : channels) {
      if (!channel.isIdle()) {
        return false;
      }
    }
    return true;
  }

  /** Closes the channels, all of them whatever one throws. */
  void close() {
    Cleanup cleanup = new Cleanup(turn);
    for (Channel channel : channels) {
      cleanup.attempt(channel::close);
    }
    cleanup.end();
  }
}
