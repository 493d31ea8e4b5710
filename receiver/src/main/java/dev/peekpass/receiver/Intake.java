package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import java.lang.System.Logger.Level;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Gives out the connections that come in {@link Messages}, one at a time, waiting for them or not.
 * Belongs to one thread at a time.
 *
 * <pre>{@code
 *                        ┌──────────── room, or a moment has passed ────────────┐
 *                        v                                                      │
 * next() ──> left? ─────no──> await ─┬─ hand-off socket ──> accept4 ──EMFILE────┤
 *              │yes                  ├─ UNIX connection ──> message ─MSG_CTRUNC─┘
 *              v                     │                         │ whole
 *        claim, acknowledge <────────│──────── left <──────────┘
 *                                    └─ wake ──> drain, or stopped: null
 * }</pre>
 */
final class Intake {
  /** How many events {@link #poll} handles at most that bring no descriptor. */
  private static final int LOOKS_MAX = 64;

  private final Kernel kernel;
  private final SocketType type;
  private final Fd socket;
  private final Fd wake;
  private final BooleanSupplier stopped;
  private final String name;
  private final Tally tally;
  private final ReceiverLog log;
  private final Watch watch;
  private final DescriptorLimit limit;
  private final UnixConnections connections;
  private final Messages messages;
  private boolean draining;
  private boolean drained;

  /** Whether the caller may still give back what it was given last, by closing. */
  private boolean held;

  /**
   * Starts watching.
   *
   * @param socket bound, non-blocking, listening if it is a stream; goes on being the caller's
   * @param wake an eventfd that ends a wait; goes on being the caller's
   * @param stopped whether {@link #next} shall end
   * @param unixConnectionsMax how many UNIX connections may be open at once
   * @param credits how many connections a proxy's loop may have offered and not acknowledged
   * @param name the receiver's, for the log
   * @param refusal where received descriptors end that are not given out
   * @throws SystemCallException when it cannot watch; nothing is left open
   */
  Intake(
      Kernel kernel,
      SocketType type,
      Fd socket,
      Fd wake,
      BooleanSupplier stopped,
      int unixConnectionsMax,
      int credits,
      DescriptorRefusal refusal,
      String name,
      PeerPolicy peers,
      Tally tally,
      ReceiverLog log)
      throws SystemCallException {
    this.kernel = kernel;
    this.type = type;
    this.socket = socket;
    this.wake = wake;
    this.stopped = stopped;
    this.name = name;
    this.tally = tally;
    this.log = log;
    limit = new DescriptorLimit(kernel, name, tally, log);
    watch = new Watch(kernel, socket, wake);
    try {
      connections =
          new UnixConnections(
              kernel,
              type == SocketType.ACKNOWLEDGED,
              socket,
              watch,
              unixConnectionsMax,
              name,
              peers,
              refusal,
              limit,
              tally,
              log);
      messages =
          type == SocketType.ACKNOWLEDGED
              ? new AcknowledgedMessages(kernel, watch, refusal, credits, name, limit, tally, log)
              : new PlainMessages(kernel, type, refusal, name, peers, limit, tally, log);
    } catch (RuntimeException | Error e) {
      watch.close();
      throw e;
    }
  }

  /**
   * Waits for the next descriptor, and makes it this process's where it was only offered.
   *
   * @param acking when it is acknowledged
   * @return the caller's to close, not inspected yet; null when stopped, or when all is drained
   */
  @Nullable Arrival next(Acking acking) {
    if (held) {
      acknowledge();
    }
    while (!stopped.getAsBoolean()) {
      Arrival first = messages.next();
      if (first != null) {
        given(acking);
        return first;
      }
      acknowledge();
      look(-1);
      if (drained) {
        return null;
      }
      if (limit.pauseMillis() > 0) {
        watch.pause(limit.pauseMillis());
      }
    }
    return null;
  }

  /**
   * Takes the next descriptor if there is one, without waiting.
   *
   * @param acking as of {@link #next}; with {@link Acking#BY_MESSAGE} the caller must call {@link
   *     #acknowledge} before it does something else than polling
   * @return the caller's to close, not inspected yet; null when none is there, or when {@link
   *     #pauseMillis} says so
   */
  @Nullable Arrival poll(Acking acking) {
    limit.begin();
    Arrival first = messages.next();
    // Bounded: peers that only make noise must not keep the caller's thread. What is left then is
    // reported by epoll again.
    for (int i = 0; first == null && i < LOOKS_MAX && limit.pauseMillis() == 0 && look(0); i++) {
      first = messages.next();
    }
    if (first == null) {
      acknowledge();
    } else {
      given(acking);
    }
    return first;
  }

  /** The next connection is the caller's, unless this throws: then it comes again. */
  private void given(Acking acking) {
    if (acking == Acking.WHEN_BACK) {
      held = true;
    } else if (acking == Acking.AT_ONCE || messages.left() == 1) {
      acknowledge();
    }
    messages.given();
  }

  /**
   * After {@link #poll} gave nothing: how long not to call it again, in milliseconds, because the
   * process is at its limit of open descriptors; 0 when it is not.
   */
  int pauseMillis() {
    return limit.pauseMillis();
  }

  /** Whether {@link #poll} has more to do of which epoll does not tell. */
  boolean hasMore() {
    return messages.left() > 0 || (connections.isOver() && !drained);
  }

  /** Whether everything that was sent before it was drained has been given out. */
  boolean isDrained() {
    return drained;
  }

  /** Readable when {@link #poll} may give something; this object's. */
  Fd pollable() {
    return watch.pollable();
  }

  /**
   * Waits for one event and does what it asks for; sets {@link #pauseMillis}.
   *
   * @param timeoutMillis as of epoll_wait
   * @return whether there was one
   */
  private boolean look(int timeoutMillis) {
    limit.begin();
    connections.unparkIfRoom();
    if (connections.isOver()) {
      // Nothing is watched any more; what may be left is in the queue of datagrams.
      boolean more = type == SocketType.DATAGRAM && receive(socket);
      drained = !more && limit.pauseMillis() == 0;
      return more;
    }
    Fd ready = watch.await(limit.pauseMillis() > 0 ? 0 : timeoutMillis);
    if (ready == null) {
      return false;
    }
    if (ready.equals(wake)) {
      if (stopped.getAsBoolean()) {
        return false;
      }
      // Read only when it is drained: what throws meanwhile is tried again.
      drain();
      kernel.eventfdRead(wake);
    } else if (ready.equals(socket) && type != SocketType.DATAGRAM) {
      accept();
    } else if (watch.hasRoomOnly()) {
      messages.hasRoom(ready);
    } else {
      receive(ready);
    }
    return true;
  }

  /** Acknowledges all that was given out. */
  void acknowledge() {
    held = false;
    messages.acknowledge();
  }

  /** Sees to it that nothing more comes, and that all that was sent is taken. */
  private void drain() {
    if (!draining) {
      connections.drain(type != SocketType.DATAGRAM);
      messages.drain();
      draining = true;
    }
  }

  /** Lets a proxy's UNIX connection in, if there is one, and receives from it. */
  private void accept() {
    Fd connection = connections.accept();
    if (connection == null) {
      return;
    }
    boolean usable = false;
    try {
      usable = messages.opened(connection);
    } finally {
      if (!usable) {
        end(connection, false);
      }
    }
    if (usable) {
      connections.parkIfFull();
      // Under `once` the message is there already: taking it now keeps few of them open.
      receive(connection);
    }
  }

  /** Receives one message; returns whether there was one. */
  private boolean receive(Fd from) {
    Messages.Result result = messages.receive(from);
    if (result != Messages.Result.ENDED && result != Messages.Result.BROKEN) {
      return result == Messages.Result.ONE;
    }
    if (from.equals(socket)) {
      // The hand-off socket itself failed to give a datagram. That passes.
      limit.reached("the hand-off socket failed");
    } else {
      // A packet without a byte looks like the end.
      end(from, result == Messages.Result.ENDED && type == SocketType.STREAM);
    }
    return false;
  }

  private void end(Fd connection, boolean received) {
    try {
      messages.ending(connection);
    } finally {
      connections.end(connection, received);
    }
    connections.unparkIfRoom();
  }

  /** As of {@link Messages#load}. */
  void load(int thousandths) {
    messages.load(thousandths);
  }

  private void closeConnections() {
    try {
      connections.emptySocket(type != SocketType.DATAGRAM);
    } finally {
      try {
        connections.close();
      } finally {
        watch.close();
      }
    }
  }

  /** Closes the UNIX connections, and what was received and not asked for. */
  void close() {
    try {
      if (!held) {
        acknowledge();
      }
    } finally {
      try {
        messages.close();
      } finally {
        closeConnections();
      }
    }
    if (log.isLoggable(Level.DEBUG)) {
      log.log(Level.DEBUG, name + ": closed: " + tally.snapshot());
    }
  }
}
