package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The UNIX connections of proxies: lets them in, watches them, closes them. Owns those that it has
 * let in.
 *
 * <pre>{@code
 * in the backlog ──accept4──> peer allowed? ──yes──> open, watched ──end()──> closed
 *    ^  │ as many as may be       └──no──> told so, closed
 *    └──┘ are open: until one ends; where they can be told, they are, and closed
 * }</pre>
 *
 * <p>Told is who can be: by the plain methods nothing is ever sent to a proxy.
 */
final class UnixConnections {
  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;
  private static final long FULL_LOG_INTERVAL_NANOS = 60_000_000_000L;

  /** Room for a DENY. */
  private static final int OUT_BYTES = 16;

  private final Kernel kernel;
  private final boolean acknowledged;
  private final Fd socket;
  private final Watch watch;
  private final int max;
  private final String name;
  private final PeerPolicy peers;
  private final DescriptorRefusal refusal;
  private final DescriptorLimit limit;
  private final Tally tally;
  private final RateLimitedLog log;
  private final RateLimitedLog fullLog;
  private final Set<Fd> open = new HashSet<>();
  private final NativeBuffer out = new NativeBuffer(OUT_BYTES);

  /** Whether the hand-off socket is not watched, because of {@code max}. */
  private boolean parked;

  private boolean draining;

  /** Of what is drained: whether no UNIX connection waits to be accepted any more. */
  private boolean backlogTaken;

  /**
   * Begins without any.
   *
   * @param acknowledged whether proxies that are not let in can be told why
   * @param socket the hand-off socket, which {@code watch} watches
   * @param max how many may be open at once
   * @param name the receiver's, for the log
   */
  UnixConnections(
      Kernel kernel,
      boolean acknowledged,
      Fd socket,
      Watch watch,
      int max,
      String name,
      PeerPolicy peers,
      DescriptorRefusal refusal,
      DescriptorLimit limit,
      Tally tally,
      ReceiverLog log) {
    this.kernel = kernel;
    this.acknowledged = acknowledged;
    this.socket = socket;
    this.watch = watch;
    this.max = max;
    this.name = name;
    this.peers = peers;
    this.refusal = refusal;
    this.limit = limit;
    this.tally = tally;
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
    fullLog = new RateLimitedLog(kernel, log, FULL_LOG_INTERVAL_NANOS);
  }

  /** Lets one in, if there is one that may come in; it is open then. */
  @Nullable Fd accept() {
    int r = kernel.accept4(socket, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    if (r < 0) {
      cannotAccept(-r);
      return null;
    }
    Fd connection = Fd.of(r);
    boolean in = false;
    try {
      in = letIn(connection);
    } finally {
      if (!in && open.remove(connection)) {
        refusal.end(connection);
      } else if (!in) {
        refusal.endForeign(connection);
      }
    }
    if (!in) {
      return null;
    }
    tally.unixConnections.increment();
    tally.openUnixConnections.increment();
    return connection;
  }

  /** Begins to watch one that may come in; false when it must be closed. */
  private boolean letIn(Fd connection) {
    PeerCredentials[] peer = new PeerCredentials[1];
    int known = kernel.peerCredentials(connection, peer);
    PeerCredentials who = peer[0];
    if (known < 0 || who == null) {
      return false;
    }
    if (!peers.allows(who.uid(), who.pid())) {
      deny(connection, HandOff.DENIED_USER, who.uid());
      return false;
    }
    if (acknowledged && open.size() >= max) {
      fullLog.warn(
          name + ": denied a UNIX connection: " + max + " are open, which is all that may be");
      deny(connection, HandOff.DENIED_FULL, who.uid());
      return false;
    }
    open.add(connection);
    if (acknowledged) {
      // Off until now (see HandOffSocket); unknown before Linux 6.16.
      kernel.setsockopt(connection, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 1);
    }
    if (draining) {
      kernel.shutdown(connection, Linux.SHUT_RD);
    }
    int watched = watch.add(connection);
    if (watched < 0) {
      log.warn(name + ": closed a UNIX connection: epoll_ctl: " + Errno.name(-watched));
    }
    return watched >= 0;
  }

  /** Tells a proxy why it is not let in, if that can be done now. */
  private void deny(Fd connection, int reason, int uid) {
    if (acknowledged) {
      int length = FromReceiver.writeDeny(out.bytes(), reason, uid);
      kernel.send(connection, out, 0, length, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    }
  }

  /** Takes no more while as many are open as may be, where nobody can be told. */
  void parkIfFull() {
    if (acknowledged || open.size() < max || parked) {
      return;
    }
    // Closing the next would lose the connection that may be queued in it; left in the backlog, the
    // proxy finds that full in the end and turns elsewhere.
    watch.remove(socket);
    parked = true;
    fullLog.warn(
        name + ": " + max + " UNIX connections are open: no more are taken until one ends");
  }

  /** Takes more again, as soon as fewer are open. */
  void unparkIfRoom() {
    if (!parked || open.size() >= max) {
      return;
    }
    int watched = backlogTaken ? 0 : watch.add(socket);
    parked = watched < 0;
    if (parked) {
      limit.reached("epoll_ctl: " + Errno.name(-watched));
    }
  }

  private void cannotAccept(int errno) {
    switch (errno) {
      case Errno.EINTR, Errno.ECONNABORTED -> {
        // Whoever it was has gone, or comes again.
      }
      case Errno.EAGAIN, Errno.EINVAL -> {
        if (draining) {
          // It is shut: that was the last.
          leaveHandOffSocket();
        } else if (errno == Errno.EINVAL) {
          // Somebody else has shut it, and epoll would report it for ever.
          limit.reached("accept4: EINVAL");
        }
      }
      default -> limit.reached("accept4: " + Errno.name(errno));
    }
  }

  /**
   * Sees to it that nothing more comes: proxies find the sockets shut, while what is queued in them
   * can still be received, then comes their end.
   *
   * @param listening whether the hand-off socket has a backlog, which is still to be accepted
   */
  void drain(boolean listening) {
    kernel.shutdown(socket, Linux.SHUT_RD);
    draining = true;
    if (!listening) {
      leaveHandOffSocket();
    }
    for (Fd connection : open) {
      kernel.shutdown(connection, Linux.SHUT_RD);
    }
  }

  /** Nothing waits in the hand-off socket's backlog any more, and nothing can come. */
  private void leaveHandOffSocket() {
    watch.remove(socket);
    backlogTaken = true;
  }

  /** Whether it was drained, and none is open nor will be. */
  boolean isOver() {
    return backlogTaken && open.isEmpty();
  }

  /**
   * Closes one.
   *
   * @param received whether all that was sent on it has been received
   */
  void end(Fd connection, boolean received) {
    open.remove(connection);
    try {
      watch.remove(connection);
    } finally {
      if (received) {
        kernel.close(connection);
      } else {
        refusal.end(connection);
      }
    }
    tally.openUnixConnections.decrement();
  }

  /**
   * Closes what waits in the hand-off socket, as closing that would, and have to wait for.
   *
   * @param listening whether that is UNIX connections
   */
  void emptySocket(boolean listening) {
    if (!listening) {
      refusal.empty(socket, peers);
      return;
    }
    kernel.shutdown(socket, Linux.SHUT_RD);
    int r;
    do {
      r = kernel.accept4(socket, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
      if (r >= 0) {
        endUnseen(Fd.of(r));
      }
    } while (r >= 0 || r == -Errno.EINTR || r == -Errno.ECONNABORTED);
  }

  private void endUnseen(Fd connection) {
    boolean allowed = false;
    try {
      PeerCredentials[] peer = new PeerCredentials[1];
      int known = kernel.peerCredentials(connection, peer);
      PeerCredentials who = peer[0];
      allowed = known >= 0 && who != null && peers.isAllowed(who.uid());
    } finally {
      if (allowed) {
        refusal.end(connection);
      } else {
        refusal.endForeign(connection);
      }
    }
  }

  /** Closes all of them. */
  void close() {
    try {
      closeAll(refusal::end);
    } finally {
      // Those behind one at which something was thrown.
      closeAll(kernel::close);
    }
  }

  private void closeAll(Consumer<Fd> closing) {
    for (Iterator<Fd> each = open.iterator(); each.hasNext(); ) {
      Fd connection = each.next();
      each.remove();
      tally.openUnixConnections.decrement();
      closing.accept(connection);
    }
  }
}
