package dev.peekpass.proxy.handoff;

import dev.peekpass.wire.FromReceiver;
import org.slf4j.Logger;

/** What is logged of a receiver that acknowledges, under its backend's name and its path. */
final class ChannelLog {
  private final Logger log;
  private final String backend;
  private final String path;

  ChannelLog(Logger log, String backend, String path) {
    this.log = log;
    this.backend = backend;
    this.path = path;
  }

  void saysHello(FromReceiver hello, long credits, boolean givesBack) {
    log.info(
        "backend {}: unix:{} says hello: version {}, {} connections a message, {} credits{}",
        backend,
        path,
        hello.version(),
        hello.maxConnections(),
        credits,
        givesBack ? "" : ", gives nothing back while it hangs");
  }

  void noHello() {
    log.warn(
        "backend {}: unix:{} has not said hello within a second: it hangs, or does not speak the"
            + " acknowledged hand-off: see docs/protocol.md",
        backend,
        path);
  }

  void noClaims(String call, String errno) {
    log.warn(
        "backend {}: unix:{}: nothing can be taken back from it while it hangs: {}: {}",
        backend,
        path,
        call,
        errno);
  }

  void breach(String what) {
    log.warn(
        "backend {}: unix:{}: the receiver breaks the protocol: {}: upgrade or mend it",
        backend,
        path,
        what);
  }

  void overdue(long ackTimeoutMillis) {
    log.warn(
        "backend {}: unix:{} does not acknowledge within ack-timeout ({} ms): it gets nothing"
            + " more until it has; what it has not claimed is taken back",
        backend,
        path,
        ackTimeoutMillis);
  }

  void lost(String why, int unacknowledged) {
    log.info(
        "backend {}: unix:{} lost: {}; {} connections were not acknowledged",
        backend,
        path,
        why,
        unacknowledged);
  }
}
