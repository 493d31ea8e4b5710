package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.LineLimit;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import org.jspecify.annotations.Nullable;

/**
 * A channel that keeps one socket for any number of connections: {@code persistent} on a stream
 * socket, {@code datagram} on a datagram socket, or on whichever of these the receiver bound.
 *
 * <pre>{@code
 *         first message    received, or 1 s          EAGAIN
 * closed ───────────────> proving ────────> open ──────────────> full
 *    ^                       │               │ ^                  │ │
 *    │ peer gone             │               │ └──── EPOLLOUT ────┘ │
 *    └───────────────────────┴───────────────┴──────────────────────┘
 * }</pre>
 *
 * While open, the socket is watched for the peer's end, so that a receiver that has gone is noticed
 * before the next connection comes; while full, for room as well.
 *
 * <p>On a stream socket a receiver that does not let the proxy in can only close. So the
 * connections of the first message stay here ({@link Proving}) until the kernel says that the
 * receiver has received it (SIOCOUTQ); if it closes with the message unread they are taken back.
 */
final class ConnectedChannel extends PlainChannel implements Pollable {
  private static final int WATCH_END = Linux.EPOLLIN | Linux.EPOLLRDHUP | Linux.EPOLLET;

  /** Where the proxy's end is shut down for reading, which would be reported for ever. */
  private static final int WATCH_HANG_UP = Linux.EPOLLET;

  /** How long a receiver has to receive the first message; then it counts as its own. */
  private static final long PROVING_NANOS = 1_000_000_000L;

  private static final int UNWATCHED = -1;

  /** What {@link #attempt} returns when the receiver has gone. */
  private static final int GONE = -1;

  /** What a message with one descriptor takes of the kernel's memory, as SIOCOUTQ counts it. */
  private static final int MESSAGE_BYTES = 768;

  /** What SIOCOUTQ says when all is received, while the last of it is being freed: sock_wfree(). */
  private static final int NOTHING_BYTES = 1;

  /** What fits into a socket with the default SO_SNDBUF, net.core.wmem_default. */
  private static final long ROOM_BYTES = 212_992;

  /** The socket types to try, in this order. */
  private final int[] types;

  private final LineLimit losses = new LineLimit();
  private @Nullable Fd socket;
  private int slot = UNWATCHED;
  private int interest;
  private boolean full;

  /** Whether the receiver has received from this socket, or had the time to. */
  private boolean proven;

  private final Proving proving;
  private long provenByNanos;
  private long openedNanos;
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
    proving = new Proving(config.batch());
  }

  /** Whether it is connected. */
  public boolean isOpen() {
    return socket != null;
  }

  /** Whether it is left alone, since its receiver ends what is begun. */
  boolean isResting() {
    return socket == null && rest.isOn(turn.nowNanos());
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
    if (to == null || !proving.isEmpty()) {
      return 0;
    }
    int r = send(to, batch);
    if (r > 0) {
      unreceivedBytes += MESSAGE_BYTES;
      if (proven) {
        reach.up();
      } else {
        provenByNanos = turn.nowNanos() + PROVING_NANOS;
        turn.wakeBy(provenByNanos);
      }
      takeOver(batch, r);
      return r;
    }
    if (isFull(-r)) {
      // Only a full queue is told to have room again. Other shortages are not this socket's, which
      // would be reported as writable at once, over and over: the backend's timer tries again.
      if (r == -Errno.EAGAIN) {
        fullNanos = turn.nowNanos();
      }
      if (r == -Errno.EAGAIN && !full) {
        turn.count(Counter.CHANNEL_FULL);
        // Unless memory is short: then too the timer tries again.
        full = turn.poller().modify(slot, to, interest | Linux.EPOLLOUT);
      }
      return 0;
    }
    drop("sendmsg: " + Errno.name(-r));
    return GONE;
  }

  @Override
  void taken(Connection connection) {
    if (proven) {
      super.taken(connection);
    } else {
      proving.put(connection);
    }
  }

  @Override
  public boolean prepare() {
    if (socket == null && mayConnect()) {
      int r = open();
      if (r < 0) {
        reach.cannotConnect(-r);
      }
    }
    return socket != null;
  }

  /** Connects and watches; returns the descriptor's number, or -errno with nothing left open. */
  private int open() {
    int r = -Errno.EPROTOTYPE;
    int type = 0;
    for (int i = 0; i < types.length && r == -Errno.EPROTOTYPE; i++) {
      type = types[i];
      r = connectAnew(type);
    }
    if (r < 0) {
      return r;
    }
    Fd opened = Fd.of(r);
    // From here on abort() and close() know of it.
    socket = opened;
    meet(opened);
    slot = UNWATCHED;
    full = false;
    proven = type != Linux.SOCK_STREAM;
    interest = isShutForReading(type) ? WATCH_HANG_UP : WATCH_END;
    openedNanos = turn.nowNanos();
    unreceivedBytes = 0;
    askedNanos = turn.nowNanos();
    int most = config.maxUnreceived();
    if (most > 0) {
      // The kernel doubles it, and takes a message while less than that is unreceived. A failure
      // leaves the bound that it has anyway.
      int bytes = most * MESSAGE_BYTES - MESSAGE_BYTES / 2;
      kernel.setsockopt(opened, Linux.SOL_SOCKET, Linux.SO_SNDBUF, bytes / 2);
    }
    slot = turn.poller().add(opened, proven ? interest : interest | Linux.EPOLLOUT, this);
    if (slot < 0) {
      int errno = slot;
      close();
      return errno;
    }
    return r;
  }

  @Override
  public boolean isReady() {
    return socket == null ? mayConnect() : proving.isEmpty() && (!full || backend.triesAll());
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
  public boolean isThere() {
    return socket != null || (reach.isUp() && !rest.isLong(turn.nowNanos()));
  }

  @Override
  public boolean isIdle() {
    return proving.isEmpty();
  }

  @Override
  public void onEvents(int events) {
    if ((events & (Linux.EPOLLHUP | Linux.EPOLLRDHUP | Linux.EPOLLERR)) != 0) {
      ended(events);
    } else if ((events & Linux.EPOLLOUT) != 0) {
      Fd open = socket;
      if (open != null && !proving.isEmpty() && kernel.siocoutq(open) <= NOTHING_BYTES) {
        // A close empties the queue as well, of which this event may not know.
        if (isReset(open)) {
          refused();
        } else {
          received(open);
        }
      }
      // Not one that was fetched before it was found full in this turn.
      Fd still = socket;
      if (still != null && full && fullNanos != turn.nowNanos()) {
        full = !turn.poller().modify(slot, still, proven ? interest : interest | Linux.EPOLLOUT);
      }
    }
    backend.pump();
  }

  /** The receiver has received the first message. */
  private void received(Fd open) {
    rest.taken();
    reach.up();
    passProving(open);
  }

  /** What stands in the first message is the receiver's. */
  private void passProving(Fd open) {
    proven = true;
    if (!full) {
      // Where memory is short it goes on being told of room, for nothing.
      turn.poller().modify(slot, open, interest);
    }
    endProving();
  }

  private void endProving() {
    proving.end(turn, this::endPassed);
  }

  /** The receiver has closed: with the first message unread, or after it had received it. */
  private void ended(int events) {
    Fd open = socket;
    if (open != null && !proving.isEmpty()) {
      if ((events & Linux.EPOLLERR) != 0 || isReset(open)) {
        refused();
        return;
      }
      rest.taken();
      reach.up();
    }
    drop("the receiver closed it");
  }

  /** Whether the receiver has closed with something unread, which is known before it is dropped. */
  private boolean isReset(Fd open) {
    return kernel.getsockopt(open, Linux.SOL_SOCKET, Linux.SO_ERROR) != 0;
  }

  /** It closed with the first message unread: nobody has had its connections. */
  private void refused() {
    turn.count(Counter.CHANNEL_REFUSED);
    turn.count(Counter.CHANNEL_LOST);
    rest.ended(turn.nowNanos(), openedNanos, Rest.SHORT_NANOS);
    reach.refused("it closes each UNIX connection with the message unread", notAllowed());
    try {
      disconnect();
    } finally {
      proving.giveBack(turn, backend::takeBack);
    }
  }

  @Override
  public long runTimers(long nowNanos) {
    Fd open = socket;
    if (open == null || proving.isEmpty()) {
      return Long.MAX_VALUE;
    }
    if (nowNanos < provenByNanos) {
      return provenByNanos;
    }
    passProving(open);
    backend.pump();
    return Long.MAX_VALUE;
  }

  private void drop(String why) {
    if (socket == null) {
      return;
    }
    turn.count(Counter.CHANNEL_LOST);
    reach.lost();
    rest.ended(turn.nowNanos(), openedNanos, 0);
    if (!proven && rest.isAgain()) {
      reach.refused("it closes each UNIX connection at once", notAllowed());
    } else if (losses.allows(turn.nowNanos())) {
      turn.log().info("backend {}: unix:{} lost: {}{}", config.name(), path, why, losses.leftOut());
    }
    close();
  }

  @Override
  public ChannelState state() {
    if (socket == null) {
      return super.state();
    }
    return full ? ChannelState.FULL : ChannelState.OPEN;
  }

  @Override
  public void onFault() {
    abort();
    backend.pump();
  }

  @Override
  public void abort() {
    drop("a fault in Peekpass");
    // None stands here without a socket, whatever was thrown before.
    endProving();
  }

  /** What was sent is in the receiver's queue, and stays there. */
  @Override
  public void close() {
    try {
      endProving();
    } finally {
      disconnect();
    }
  }

  private void disconnect() {
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
