package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Gives out the connections that come in {@link Messages}, one at a time, waiting for them or not.
 * Belongs to one thread at a time.
 *
 * <pre>{@code
 *                        ┌──────────── room, or a moment has passed ────────────┐
 *                        v                                                      │
 * next() ──> arrived? ──no──> await ─┬─ hand-off socket ──> accept4 ──EMFILE────┤
 *              │yes                  ├─ UNIX connection ──> message ─MSG_CTRUNC─┘
 *              v                     │                         │ whole
 *        claim, acknowledge <────────│──────── arrived <───────┘
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
  private final Queue<Arrival> pending = new ArrayDeque<>();
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
   * @param load how busy the application is, for the proxies
   * @param name the receiver's, for the log
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
      IntSupplier load,
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
    watch = new Watch(kernel, socket, wake);
    limit = new DescriptorLimit(kernel, name, tally, log);
    connections =
        new UnixConnections(
            kernel, socket, watch, unixConnectionsMax, name, peers, limit, tally, log);
    messages =
        type == SocketType.ACKNOWLEDGED
            ? new AcknowledgedMessages(kernel, watch, credits, load, name, limit, tally, log)
            : new PlainMessages(kernel, type, name, peers, limit, tally, log);
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
      Arrival first = claimNext();
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
    Arrival first = claimNext();
    // Bounded: peers that only make noise must not keep the caller's thread. What is left then is
    // reported by epoll again.
    for (int i = 0; first == null && i < LOOKS_MAX && limit.pauseMillis() == 0 && look(0); i++) {
      first = claimNext();
    }
    if (first == null) {
      acknowledge();
    } else {
      given(acking);
    }
    return first;
  }

  private void given(Acking acking) {
    if (acking == Acking.WHEN_BACK) {
      held = true;
    } else if (acking == Acking.AT_ONCE || pending.isEmpty()) {
      acknowledge();
    }
  }

  /**
   * After {@link #poll} gave nothing: how long not to call it again, in milliseconds, because the
   * process is at its limit of open descriptors; 0 when it is not.
   */
  int pauseMillis() {
    return limit.pauseMillis();
  }

  /** Whether {@link #poll} has more to do of which epoll does not tell. */
  boolean hasPending() {
    return !pending.isEmpty() || (connections.isOver() && !drained);
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
    if (connections.isOver()) {
      // Nothing is watched any more; what may be left is in the queue of datagrams.
      boolean more = type == SocketType.DATAGRAM && receive(socket);
      drained = !more && limit.pauseMillis() == 0;
      return more;
    }
    Fd ready = watch.await(timeoutMillis);
    if (ready == null) {
      return false;
    }
    if (ready.equals(wake)) {
      if (stopped.getAsBoolean()) {
        return false;
      }
      kernel.eventfdRead(wake);
      drain();
    } else if (ready.equals(socket) && type != SocketType.DATAGRAM) {
      accept();
    } else if (watch.hasRoomOnly()) {
      messages.hasRoom(ready);
    } else {
      receive(ready);
    }
    return true;
  }

  /** Takes the first of those that arrived which is ours; null when there is none. */
  private @Nullable Arrival claimNext() {
    Arrival first = pending.poll();
    while (first != null && !messages.claim(first)) {
      first = pending.poll();
    }
    return first;
  }

  /** Acknowledges all that was given out. */
  void acknowledge() {
    held = false;
    messages.acknowledge();
  }

  /** Sees to it that nothing more comes, and that all that was sent is taken. */
  private void drain() {
    if (!draining) {
      draining = true;
      connections.drain(type != SocketType.DATAGRAM);
      messages.drain();
    }
  }

  private void accept() {
    Fd connection = connections.accept();
    if (connection == null) {
      return;
    }
    if (messages.opened(connection)) {
      // Under `once` the message is there already: taking it now keeps few of them open.
      receive(connection);
    } else {
      end(connection, true);
    }
  }

  /** Receives one message; returns whether there was one. */
  private boolean receive(Fd from) {
    Messages.Result result = messages.receive(from, pending);
    // Not a switch, which would be a class more to load.
    if (result == Messages.Result.ENDED) {
      end(from, false);
    } else if (result == Messages.Result.BROKEN) {
      end(from, true);
    }
    return result == Messages.Result.ONE;
  }

  /**
   * Ends a UNIX connection.
   *
   * @param byUs whether it is this receiver that ends it, and not the proxy
   */
  private void end(Fd from, boolean byUs) {
    if (from.equals(socket)) {
      // The hand-off socket itself failed to give a datagram. That passes.
      limit.reached("the hand-off socket failed");
      return;
    }
    messages.ending(from, byUs);
    connections.end(from);
  }

  /** Closes the UNIX connections, and what was received and not asked for. */
  void close() {
    if (!held) {
      acknowledge();
    }
    // Before the channels end: the proxies may then give what was not claimed to others.
    for (Arrival left = pending.poll(); left != null; left = pending.poll()) {
      kernel.close(left.fd());
    }
    messages.close();
    connections.close();
    watch.close();
    if (log.isLoggable(Level.DEBUG)) {
      log.log(Level.DEBUG, name + ": closed: " + tally.snapshot());
    }
  }
}
