package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A connected seqpacket socket, watched for messages and for its end. Owns its descriptor. */
final class SeqpacketSocket {
  private static final int WATCH = Linux.EPOLLIN | Linux.EPOLLRDHUP;
  private static final int WATCH_ROOM = WATCH | Linux.EPOLLOUT;
  private static final int UNWATCHED = -1;

  /** Opens one to a channel's path. */
  interface Opener {
    /**
     * Opens one.
     *
     * @param pollable gets its events
     * @return null when it cannot be opened, with nothing left open
     */
    @Nullable SeqpacketSocket open(Pollable pollable);
  }

  private final Turn turn;
  private final Fd fd;
  private final Consumer<Fd> closer;
  private int slot = UNWATCHED;
  private boolean watchingRoom;
  private long fullNanos = Long.MIN_VALUE;

  private SeqpacketSocket(Turn turn, Fd fd, Consumer<Fd> closer) {
    this.turn = turn;
    this.fd = fd;
    this.closer = closer;
  }

  /**
   * Begins to watch.
   *
   * @param connected owned by the result, or closed when this fails
   * @param closer closes it
   * @return null when the kernel would not watch it
   */
  static @Nullable SeqpacketSocket watch(
      Turn turn, Fd connected, Consumer<Fd> closer, Pollable pollable) {
    SeqpacketSocket made = new SeqpacketSocket(turn, connected, closer);
    try {
      made.slot = turn.poller().add(connected, WATCH, pollable);
    } finally {
      if (made.slot < 0) {
        closer.accept(connected);
      }
    }
    return made.slot < 0 ? null : made;
  }

  /** Its descriptor; this object's. */
  Fd fd() {
    return fd;
  }

  /** Its place in the poller. */
  int slot() {
    return slot;
  }

  /** Whether it was full and has not had room since. */
  boolean isFull() {
    return watchingRoom;
  }

  /** It is full: watches for room. Where memory is short it does not, and a timer tries again. */
  void watchRoom() {
    fullNanos = turn.nowNanos();
    if (!watchingRoom) {
      watchingRoom = turn.poller().modify(slot, fd, WATCH_ROOM);
    }
  }

  /** It has room again, unless that was before it was found full in this turn. */
  void hasRoom() {
    if (watchingRoom && fullNanos != turn.nowNanos()) {
      watchingRoom = !turn.poller().modify(slot, fd, WATCH);
    }
  }

  /** Ends watching and closes the descriptor, whatever the first throws. */
  void close() {
    try {
      turn.poller().remove(slot, fd);
    } finally {
      closer.accept(fd);
    }
  }
}
