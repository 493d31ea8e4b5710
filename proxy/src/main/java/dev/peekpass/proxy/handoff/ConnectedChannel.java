package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * A channel that keeps one socket for any number of connections: {@code persistent} on a stream
 * socket, {@code datagram} on a datagram socket, or on whichever of these the receiver bound.
 *
 * <pre>{@code
 *          pass                    EAGAIN
 * closed ───────> open ─────────────────────────> full
 *    ^             │ ^                             │ │
 *    │ peer gone   │ └────── EPOLLOUT ─────────────┘ │
 *    └─────────────┴─────────────────────────────────┘
 * }</pre>
 *
 * While open, the socket is watched for the peer's end, so that a receiver that has gone is noticed
 * before the next connection comes; while full, for room as well.
 */
final class ConnectedChannel extends PlainChannel implements Pollable {
  private static final int WATCH_END = Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLET;
  private static final int WATCH_ROOM = WATCH_END | Linux.EPOLLOUT;

  private static final int UNWATCHED = -1;

  /** What {@link #attempt} returns when the receiver has gone. */
  private static final int GONE = -1;

  /** What a message with one descriptor takes of the kernel's memory, as SIOCOUTQ counts it. */
  private static final int MESSAGE_BYTES = 768;

  /** What fits into a socket with the default SO_SNDBUF, net.core.wmem_default. */
  private static final long ROOM_BYTES = 212_992;

  /** The socket types to try, in this order. */
  private final int[] types;

  private @Nullable Fd socket;
  private int slot = UNWATCHED;
  private boolean watchingRoom;
  private long fullNanos = Long.MIN_VALUE;

  /** What SIOCOUTQ said at a time, and what was sent since. */
  private long unreceivedBytes;

  private long askedNanos = Long.MIN_VALUE;

  /**
   * Makes a channel that connects when it is first used.
   *
   * @param types SOCK_STREAM, SOCK_DGRAM: the first that the receiver has bound is used
   */
  ConnectedChannel(Turn turn, Passing backend, BackendConfig config, String path, int... types) {
    super(turn, backend, config, path);
    this.types = types;
  }

  /** Whether it is connected. */
  public boolean isOpen() {
    return socket != null;
  }

  @Override
  public int pass(Batch batch) {
    int passed = attempt(batch);
    if (passed == GONE) {
      // A receiver that was replaced is noticed by the first failed send: one more try goes to the
      // new one. Nothing was consumed, so trying again is exact.
      passed = attempt(batch);
    }
    return Math.max(passed, 0);
  }

  /** Returns how many it passed, or {@link #GONE}. */
  private int attempt(Batch batch) {
    Fd to = prepare() ? socket : null;
    if (to == null) {
      return 0;
    }
    int r = send(to, batch);
    if (r > 0) {
      unreceivedBytes += MESSAGE_BYTES;
      reportUp();
      takeOver(batch, r);
      return r;
    }
    if (isFull(-r)) {
      // Only a full queue is told to have room again. Other shortages are not this socket's, which
      // would be reported as writable at once, over and over: the backend's timer tries again.
      if (r == -Errno.EAGAIN) {
        fullNanos = turn.nowNanos();
      }
      if (r == -Errno.EAGAIN && !watchingRoom) {
        turn.count(Counter.CHANNEL_FULL);
        // Unless memory is short: then too the timer tries again.
        watchingRoom = turn.poller().modify(slot, to, WATCH_ROOM);
      }
      return 0;
    }
    drop("sendmsg: " + Errno.name(-r));
    return GONE;
  }

  @Override
  public boolean prepare() {
    if (socket == null && mayConnect()) {
      int r = open();
      if (r < 0) {
        reportCannotConnect(-r);
      }
    }
    return socket != null;
  }

  /** Connects and watches; returns the descriptor's number, or -errno with nothing left open. */
  private int open() {
    int r = -Errno.EPROTOTYPE;
    for (int i = 0; i < types.length && r == -Errno.EPROTOTYPE; i++) {
      r = connectAnew(types[i]);
    }
    if (r < 0) {
      return r;
    }
    Fd opened = Fd.of(r);
    // From here on abort() and close() know of it.
    socket = opened;
    meet(opened);
    slot = UNWATCHED;
    watchingRoom = false;
    unreceivedBytes = 0;
    askedNanos = turn.nowNanos();
    int most = config.maxUnreceived();
    if (most > 0) {
      // The kernel doubles it, and takes a message while less than that is unreceived. A failure
      // leaves the bound that it has anyway.
      int bytes = most * MESSAGE_BYTES - MESSAGE_BYTES / 2;
      kernel.setsockopt(opened, Linux.SOL_SOCKET, Linux.SO_SNDBUF, bytes / 2);
    }
    slot = turn.poller().add(opened, WATCH_END, this);
    if (slot < 0) {
      int errno = slot;
      close();
      return errno;
    }
    return r;
  }

  @Override
  public boolean isReady() {
    return socket == null ? mayConnect() : !watchingRoom || backend.triesAll();
  }

  /** Asks the kernel once a turn. */
  @Override
  public long unreceivedBytes(int more) {
    Fd open = socket;
    if (open == null) {
      return (long) more * MESSAGE_BYTES;
    }
    if (askedNanos != turn.nowNanos()) {
      askedNanos = turn.nowNanos();
      unreceivedBytes = Math.max(0, kernel.siocoutq(open));
    }
    return unreceivedBytes + (long) more * MESSAGE_BYTES;
  }

  @Override
  public long busyMillionths(int more) {
    return unreceivedBytes(more) * 1_000_000 / ROOM_BYTES;
  }

  @Override
  public void onEvents(int events) {
    if ((events & (Linux.EPOLLHUP | Linux.EPOLLRDHUP | Linux.EPOLLERR)) != 0) {
      drop("the receiver closed it");
    } else if ((events & Linux.EPOLLOUT) != 0) {
      Fd open = socket;
      // Not one that was fetched before it was found full in this turn.
      if (open != null && watchingRoom && fullNanos != turn.nowNanos()) {
        watchingRoom = !turn.poller().modify(slot, open, WATCH_END);
      }
    }
    backend.pump();
  }

  private void drop(String why) {
    if (socket != null) {
      turn.count(Counter.CHANNEL_LOST);
      reportLost();
      turn.log().info("backend {}: unix:{} lost: {}", config.name(), path, why);
      close();
    }
  }

  @Override
  public ChannelState state() {
    if (socket == null) {
      return super.state();
    }
    return watchingRoom ? ChannelState.FULL : ChannelState.OPEN;
  }

  @Override
  public void onFault() {
    abort();
    backend.pump();
  }

  @Override
  public void abort() {
    drop("a fault in Peekpass");
  }

  @Override
  public void close() {
    Fd open = socket;
    int watched = slot;
    if (open == null) {
      return;
    }
    socket = null;
    slot = UNWATCHED;
    try {
      if (watched >= 0) {
        turn.poller().remove(watched, open);
      }
    } finally {
      closeSocket(open);
    }
  }
}
