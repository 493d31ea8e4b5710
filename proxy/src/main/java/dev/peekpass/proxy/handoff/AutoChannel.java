package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Holder;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.turn.Turn;

/**
 * A channel that finds out what the receiver bound ({@code auto}): the acknowledged hand-off on a
 * seqpacket socket, else one of the plain methods. It looks again whenever the receiver has gone.
 */
final class AutoChannel extends Channel {
  private final AcknowledgedChannel acknowledged;
  private final ConnectedChannel plain;

  AutoChannel(Turn turn, Ending ending, Passing backend, BackendConfig config, String path) {
    super(turn, backend, config, path);
    acknowledged = new AcknowledgedChannel(turn, ending, backend, config, path);
    plain = new ConnectedChannel(turn, backend, config, path, Linux.SOCK_STREAM, Linux.SOCK_DGRAM);
  }

  @Override
  public int pass(Batch batch) {
    int passed = 0;
    if (plain.isOpen()) {
      passed = plain.pass(batch);
    }
    if (passed == 0 && !plain.isOpen() && !plain.isResting()) {
      // What it has found and said of the path holds for both.
      acknowledged.reach.inherit(plain.reach);
      passed = acknowledged.pass(batch);
      if (acknowledged.isOtherType()) {
        plain.reach.inherit(acknowledged.reach);
        passed = plain.pass(batch);
      }
    }
    return passed;
  }

  /** The two channels take over what they pass. */
  @Override
  void taken(Connection connection) {
    throw new IllegalStateException("a connection was passed by neither method");
  }

  @Override
  public Holder holder() {
    return found().holder();
  }

  @Override
  public int takeInFlight() {
    return acknowledged.takeInFlight() + plain.takeInFlight();
  }

  @Override
  public boolean prepare() {
    if (plain.isOpen()) {
      return true;
    }
    if (plain.isResting()) {
      return false;
    }
    if (acknowledged.prepare()) {
      return true;
    }
    if (acknowledged.isOtherType()) {
      plain.reach.inherit(acknowledged.reach);
      return plain.prepare();
    }
    return false;
  }

  @Override
  public void connectAhead() {
    prepare();
    acknowledged.reach.beginAnew();
    plain.reach.beginAnew();
  }

  /** The one that goes by what the receiver has bound, as last seen. */
  private Channel found() {
    return plain.isOpen() || acknowledged.isOtherType() ? plain : acknowledged;
  }

  @Override
  public long runTimers(long nowNanos) {
    return Math.min(acknowledged.runTimers(nowNanos), plain.runTimers(nowNanos));
  }

  @Override
  public boolean isIdle() {
    return acknowledged.isIdle() && plain.isIdle();
  }

  @Override
  public boolean isReady() {
    return found().isReady();
  }

  @Override
  public boolean isThere() {
    return found().isThere();
  }

  @Override
  public boolean isGreeting() {
    return found().isGreeting();
  }

  @Override
  public long unreceivedBytes(int more) {
    return found().unreceivedBytes(more);
  }

  @Override
  public long busyMillionths(int more) {
    return found().busyMillionths(more);
  }

  @Override
  public long passedCount() {
    return acknowledged.passedCount() + plain.passedCount();
  }

  @Override
  public int unsettled() {
    return found().unsettled();
  }

  @Override
  public int load() {
    return found().load();
  }

  @Override
  public ChannelState state() {
    return found().state();
  }

  @Override
  public String reason() {
    return found().reason();
  }

  @Override
  public void abort() {
    try {
      acknowledged.abort();
    } finally {
      plain.abort();
    }
  }

  @Override
  public void close() {
    try {
      acknowledged.close();
    } finally {
      plain.close();
    }
  }
}
