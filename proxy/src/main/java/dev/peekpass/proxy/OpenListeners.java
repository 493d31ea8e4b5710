package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.listen.Listener;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The listeners of one loop that have a socket, of whatever generation, each once. */
final class OpenListeners {
  /** How long what is queued may take to be accepted once a socket ends. */
  private static final long END_NANOS = 1_000_000_000L;

  private static final long NANOS_A_MILLI = 1_000_000;

  private final Turn turn;
  private final Map<Fd, Listener> bySocket = new LinkedHashMap<>();

  /** Whether the socket of any listener ends once its queue is empty. */
  private boolean ending;

  OpenListeners(Turn turn) {
    this.turn = turn;
  }

  boolean isEmpty() {
    return bySocket.isEmpty();
  }

  /** Takes the sockets of a loop's first listeners, before it runs. */
  void own(List<Listener> listeners) {
    for (Listener listener : listeners) {
      listener.own();
      bySocket.put(listener.bound().fd(), listener);
    }
  }

  /** Begins to accept. */
  void start() {
    bySocket.values().forEach(Listener::start);
  }

  /**
   * Goes over to other listeners: they take the sockets that are here already, begin to accept on
   * those that are new, and all others begin to close.
   */
  void swap(List<Listener> next) {
    // First who owns what, then what may fail.
    List<@Nullable Listener> before = new ArrayList<>();
    for (Listener listener : next) {
      Listener old = bySocket.put(listener.bound().fd(), listener);
      before.add(old);
      if (old == null) {
        listener.own();
      } else {
        listener.takeSocketOf(old);
      }
    }
    for (int i = 0; i < next.size(); i++) {
      Listener old = before.get(i);
      if (old == null) {
        next.get(i).start();
      } else {
        next.get(i).adapt(old);
      }
    }
    for (Listener listener : bySocket.values()) {
      if (!next.contains(listener)) {
        listener.beginClosing();
      }
    }
  }

  /** Ends the closing of a socket, if it closes still. */
  void endClosing(Fd socket) {
    Listener listener = bySocket.get(socket);
    if (listener != null) {
      listener.endClosing(turn.nowNanos() + END_NANOS);
      ending = true;
    }
  }

  /** Ends all of them: takes what is queued, until a time at most. */
  void end(long byNanos) {
    bySocket.values().forEach(listener -> listener.endClosing(byNanos));
    ending = true;
  }

  /** Goes on with those that end. Costs nothing while none does. */
  void goOnEnding() {
    if (!ending) {
      return;
    }
    ending = false;
    for (Iterator<Listener> each = bySocket.values().iterator(); each.hasNext(); ) {
      Listener listener = each.next();
      if (listener.isEnding() && endIfEmpty(listener)) {
        each.remove();
      }
      ending |= listener.isEnding();
    }
  }

  private boolean endIfEmpty(Listener listener) {
    try {
      return listener.endIfEmpty();
    } catch (RuntimeException e) {
      turn.fault("listener " + listener.label() + ": its end failed", e);
      turn.wakeBy(turn.nowNanos() + NANOS_A_MILLI);
      return !listener.isOpen();
    }
  }

  /**
   * Accepts no more, since another process has the sockets.
   *
   * @param unwanted those that it does not listen on: they begin to close
   */
  void abandon(Set<Fd> unwanted) {
    for (Listener listener : bySocket.values()) {
      if (unwanted.contains(listener.bound().fd())) {
        listener.beginClosing();
      } else if (!listener.isClosing()) {
        turn.contain(listener::abandonSocket);
      }
    }
    bySocket.values().removeIf(listener -> !listener.isOpen());
  }

  /**
   * Duplicates of the sockets, but for those that are closing, as far as there is room for them;
   * the caller owns them.
   */
  Map<Fd, Fd> duplicates() {
    Kernel kernel = turn.kernel();
    Map<Fd, Fd> duplicates = new LinkedHashMap<>();
    boolean whole = false;
    try {
      for (Listener listener : bySocket.values()) {
        Fd socket = listener.bound().fd();
        int r = listener.isClosing() ? -1 : kernel.fcntl(socket, Linux.F_DUPFD_CLOEXEC, 0);
        if (r >= 0) {
          duplicates.put(socket, Fd.of(r));
        }
      }
      whole = true;
      return duplicates;
    } finally {
      if (!whole) {
        duplicates.values().forEach(kernel::close);
      }
    }
  }

  List<ListenerStatus> status() {
    return bySocket.values().stream().map(Listener::status).toList();
  }

  /** Closes all sockets, with whoever is queued in them. */
  void close() {
    Cleanup cleanup = new Cleanup(turn);
    bySocket.values().forEach(listener -> cleanup.attempt(listener::abandonSocket));
    bySocket.clear();
    cleanup.end();
  }
}
