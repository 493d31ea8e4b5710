package dev.peekpass.proxy;

import dev.peekpass.linux.Linux;

/**
 * A channel that finds out what the receiver bound ({@code auto}): the acknowledged hand-off on a
 * seqpacket socket, else one of the plain methods. It looks again whenever the receiver has gone.
 */
final class AutoChannel extends Channel {
  private final AcknowledgedChannel acknowledged;
  private final ConnectedChannel plain;
  private Channel last;

  AutoChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
    acknowledged = new AcknowledgedChannel(loop, backend, path);
    plain = new ConnectedChannel(loop, backend, path, Linux.SOCK_STREAM, Linux.SOCK_DGRAM);
    last = plain;
  }

  @Override
  int pass(Batch batch) {
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
  void passed(Connection connection) {
    last.passed(connection);
  }

  @Override
  long runTimers(long nowNanos) {
    return acknowledged.runTimers(nowNanos);
  }

  @Override
  boolean isIdle() {
    return acknowledged.isIdle();
  }

  @Override
  boolean prepare() {
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
  boolean isReady() {
    return found().isReady();
  }

  @Override
  boolean isThere() {
    return found().isThere();
  }

  @Override
  boolean isGreeting() {
    return found().isGreeting();
  }

  @Override
  long unreceivedBytes(int more) {
    return found().unreceivedBytes(more);
  }

  @Override
  long busyMillionths(int more) {
    return found().busyMillionths(more);
  }

  @Override
  long passedCount() {
    return acknowledged.passedCount() + plain.passedCount();
  }

  @Override
  int unsettled() {
    return found().unsettled();
  }

  @Override
  int load() {
    return found().load();
  }

  @Override
  ChannelState state() {
    return found().state();
  }

  @Override
  void close() {
    acknowledged.close();
    plain.close();
  }
}
