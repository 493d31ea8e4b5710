package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.status.ChannelState;

/**
 * A channel that finds out what the receiver bound ({@code auto}): the acknowledged hand-off on a
 * seqpacket socket, else one of the plain methods. It looks again whenever the receiver has gone.
 */
public final class AutoChannel extends Channel {
  private final AcknowledgedChannel acknowledged;
  private final ConnectedChannel plain;
  private Channel last;

  public AutoChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
    acknowledged = new AcknowledgedChannel(loop, backend, path);
    plain = new ConnectedChannel(loop, backend, path, Linux.SOCK_STREAM, Linux.SOCK_DGRAM);
    last = plain;
  }

  @Override
  public int pass(Batch batch) {
    int passed = 0;
    if (plain.isOpen()) {
      last = plain;
      passed = plain.pass(batch);
    }
    if (passed == 0 && !plain.isOpen()) {
      last = acknowledged;
      passed = acknowledged.pass(batch);
      if (acknowledged.isOtherType()) {
        last = plain;
        plain.inheritDown(acknowledged);
        passed = plain.pass(batch);
      }
    }
    return passed;
  }

  @Override
  public void passed(Connection connection) {
    last.passed(connection);
  }

  @Override
  public long runTimers(long nowNanos) {
    return acknowledged.runTimers(nowNanos);
  }

  @Override
  public boolean isIdle() {
    return acknowledged.isIdle();
  }

  @Override
  public boolean prepare() {
    if (plain.isOpen() || acknowledged.prepare()) {
      return true;
    }
    if (acknowledged.isOtherType()) {
      plain.inheritDown(acknowledged);
      return plain.prepare();
    }
    return false;
  }

  /** The one that goes by what the receiver has bound, as last seen. */
  private Channel found() {
    return plain.isOpen() || acknowledged.isOtherType() ? plain : acknowledged;
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
  public void close() {
    acknowledged.close();
    plain.close();
  }
}
