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
  ChannelState state() {
    return plain.isOpen() || acknowledged.isOtherType() ? plain.state() : acknowledged.state();
  }

  @Override
  void close() {
    acknowledged.close();
    plain.close();
  }
}
