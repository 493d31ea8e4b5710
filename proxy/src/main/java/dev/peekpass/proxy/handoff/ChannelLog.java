package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.turn.LineLimit;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.FromReceiver;

/**
 * What is logged of a receiver that acknowledges, under its backend's name and its path: each line
 * not more often than its limit.
 */
final class ChannelLog {
  private final Turn turn;
  private final String backend;
  private final String path;
  private final LineLimit hellos = new LineLimit();
  private final LineLimit silences = new LineLimit();
  private final LineLimit claims = new LineLimit();
  private final LineLimit breaches = new LineLimit();
  private final LineLimit overdues = new LineLimit();
  private final LineLimit losses = new LineLimit();

  ChannelLog(Turn turn, String backend, String path) {
    this.turn = turn;
    this.backend = backend;
    this.path = path;
  }

  void saysHello(FromReceiver hello, long credits, boolean givesBack) {
    if (hellos.allows(turn.nowNanos())) {
      turn.log()
          .info(
              "backend {}: unix:{} says hello: version {}, {} connections a message, {} credits{}{}",
              backend,
              path,
              hello.version(),
              hello.maxConnections(),
              credits,
              givesBack ? "" : ", gives nothing back while it hangs",
              hellos.leftOut());
    }
  }

  void noHello() {
    if (silences.allows(turn.nowNanos())) {
      turn.log()
          .warn(
              "backend {}: unix:{} has not said hello within a second: it hangs, or does not speak the"
                  + " acknowledged hand-off: see docs/protocol.md{}",
              backend,
              path,
              silences.leftOut());
    }
  }

  void noClaims(String call, String errno) {
    if (claims.allows(turn.nowNanos())) {
      turn.log()
          .warn(
              "backend {}: unix:{}: nothing can be taken back from it while it hangs: {}: {}{}",
              backend,
              path,
              call,
              errno,
              claims.leftOut());
    }
  }

  void breach(String what) {
    if (breaches.allows(turn.nowNanos())) {
      turn.log()
          .warn(
              "backend {}: unix:{}: the receiver breaks the protocol: {}: upgrade or mend it{}",
              backend,
              path,
              what,
              breaches.leftOut());
    }
  }

  void overdue(long ackTimeoutMillis) {
    if (overdues.allows(turn.nowNanos())) {
      turn.log()
          .warn(
              "backend {}: unix:{} does not acknowledge within ack-timeout ({} ms): it gets nothing"
                  + " more until it has; what it has not claimed is taken back{}",
              backend,
              path,
              ackTimeoutMillis,
              overdues.leftOut());
    }
  }

  void lost(String why, int unacknowledged) {
    if (losses.allows(turn.nowNanos())) {
      turn.log()
          .info(
              "backend {}: unix:{} lost: {}; {} connections were not acknowledged{}",
              backend,
              path,
              why,
              unacknowledged,
              losses.leftOut());
    }
  }
}
