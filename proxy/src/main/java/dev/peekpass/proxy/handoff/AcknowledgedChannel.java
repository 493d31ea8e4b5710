package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Burst;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.OfferWriter;
import org.jspecify.annotations.Nullable;

/**
 * A channel on a seqpacket socket whose receiver acknowledges what it has ({@code acknowledged}).
 * The proxy keeps its descriptor until then, so that a connection which nobody has touched can go
 * to another receiver when this one dies, hangs or refuses.
 *
 * <pre>{@code
 *         connect          HELLO            no credits, or the socket is full
 * closed ─────────> silent ───────> ready <──────────────────────────────────> full
 *    ^                               │ ^
 *    │ peer gone, fault      too late│ │ all answered for
 *    │                               v │
 *    └──────────────────────────── overdue, draining
 *
 * one connection:      pass              ACK
 *              queue ──────> offered ───────────> ended: passed
 *                ^             │ │ │ peer gone, it had claimed it
 *                │ revoked     │ │ └──────────> untouched? ─yes─> queue
 *                └─────────────┘ │                  │no
 *                                │ claimed, and no  └──────────> ended: lost
 *                                │ ACK in all the time
 *                                └──────────────────────────────> ended: passed, in doubt
 * }</pre>
 *
 * <p>Numbers count the connections of one UNIX connection: {@code settled} ≤ all that are in the
 * ring &lt; {@code next} ≤ {@code granted}. An overdue channel gets nothing more until the receiver
 * has answered for all it was offered.
 */
public final class AcknowledgedChannel extends Channel implements Pollable {
  /** The most connections that are offered and not settled, whatever the receiver grants. */
  public static final int MOST_OFFERED = 1024;

  /** The most in one message: a few tens spread the cost of the call, more only hold up others. */
  public static final int MOST_AT_ONCE = 64;

  /** How many messages are read before others get their turn. */
  private static final int MOST_READS = 16;

  /** How many messages that settle nothing are borne before the receiver is taken for broken. */
  private static final int MOST_IDLE_MESSAGES = 4096;

  /** How long a receiver may take to say hello before that is worth a line in the log. */
  private static final long HELLO_NANOS = 1_000_000_000L;

  /** How long a receiver that has just been connected to may be waited for by its clients. */
  private static final long GREETING_NANOS = 100_000_000;

  /** How long what a receiver says of its load holds: one that gets nothing says nothing anew. */
  private static final long LOAD_NANOS = 1_000_000_000L;

  private static final long MILLION = 1_000_000;

  /** How long a channel rests after its receiver gave connections back, by word or by ending. */
  private static final long REST_NANOS = 20_000_000;

  /** How long it rests after its receiver broke the protocol. */
  private static final long FAULT_REST_NANOS = 1_000_000_000L;

  private static final int WATCH = Linux.EPOLLIN | Linux.EPOLLRDHUP;
  private static final int WATCH_ROOM = WATCH | Linux.EPOLLOUT;
  private static final int IN_BYTES = 64;

  private final long ackTimeoutNanos;
  private final NativeBuffer in = new NativeBuffer(IN_BYTES);
  private final FromReceiver view = new FromReceiver();
  private final Message out = new Message(HandOff.MAX_MESSAGE_BYTES, MOST_AT_ONCE);
  private final OfferWriter writer = new OfferWriter(out.payload());
  private final OfferMetadata metadata = new OfferMetadata(writer);
  private final Untouched untouched;
  private final Burst messages = new Burst();

  /** What was offered and is owned here, by number; null where it was taken back. */
  private final @Nullable Connection[] ring = new @Nullable Connection[MOST_OFFERED];

  private int held;

  private @Nullable Fd socket;
  private int slot;
  private boolean watchingRoom;
  private boolean otherType;
  private boolean greeted;
  private boolean slowHelloLogged;
  private long connectedNanos;
  private @Nullable Claims claims;
  private int mostAtOnce;
  private boolean draining;
  private long drainedByNanos;
  private long restUntilNanos = Long.MIN_VALUE;
  private int idleMessages;
  private int load = HandOff.LOAD_UNKNOWN;
  private long loadNanos;

  private long settled;
  private long passed;
  private long next;
  private long granted;

  /** The channel is overdue while not all below this are settled. */
  private long answersDue;

  public AcknowledgedChannel(Loop loop, Backend backend, String path) {
    super(loop, backend, path);
    ackTimeoutNanos = backend.ackTimeoutNanos();
    untouched = new Untouched(kernel);
  }

  /** Whether the last attempt to connect found a socket of another type. */
  public boolean isOtherType() {
    return otherType;
  }

  @Override
  public int pass(Batch batch) {
    Fd to = prepare() ? socket : null;
    if (to == null || !takes()) {
      return 0;
    }
    long room = room();
    if (room <= 0) {
      loop.counters().count(Counter.CHANNEL_FULL);
      return 0;
    }
    int count = (int) Math.min(Math.min(batch.size(), mostAtOnce), room);
    count = write(batch, count);
    int r = send(to, out);
    while (r < 0 && count > 1 && mayTakeFewer(-r)) {
      count = write(batch, count / 2);
      mostAtOnce = count;
      r = send(to, out);
    }
    if (r > 0) {
      next += count;
      loop.counters().count(Counter.MESSAGES_SENT);
      return count;
    }
    cannotSend(to, -r);
    return 0;
  }

  @Override
  public boolean isReady() {
    if (socket == null) {
      return restUntilNanos <= loop.nowNanos() && mayConnect();
    }
    return takes() && room() > 0 && !watchingRoom;
  }

  /** Whether the receiver has said that it takes connections and keeps to it. */
  private boolean takes() {
    return greeted && !draining && settled >= answersDue && restUntilNanos <= loop.nowNanos();
  }

  private long room() {
    return Math.min(granted - next, MOST_OFFERED - (next - settled));
  }

  @Override
  public boolean isThere() {
    if (socket == null) {
      return super.isThere() && restUntilNanos <= loop.nowNanos() + REST_NANOS;
    }
    return greeted
        ? !draining && settled >= answersDue
        : loop.nowNanos() < connectedNanos + HELLO_NANOS;
  }

  @Override
  public boolean isGreeting() {
    return socket != null && !greeted && loop.nowNanos() < connectedNanos + GREETING_NANOS;
  }

  /** How full its credits are, and the load it told of lately. */
  @Override
  public long busyMillionths(int more) {
    long unsettled = next - settled + more;
    long window = Math.min(granted - settled, MOST_OFFERED);
    long full = window <= 0 ? MILLION : unsettled * MILLION / window;
    return (socket == null ? 0 : full) + Math.max(0, load()) * (MILLION / HandOff.MAX_LOAD);
  }

  @Override
  public int unsettled() {
    return held;
  }

  @Override
  public int load() {
    boolean known = load != HandOff.LOAD_UNKNOWN && loop.nowNanos() - loadNanos <= LOAD_NANOS;
    return known ? load : -1;
  }

  /** Writes an offer of the first of a batch; returns how many went into it. */
  private int write(Batch batch, int count) {
    writer.begin(next);
    while (writer.count() < count && writer.beginConnection()) {
      metadata.write(batch.get(writer.count()));
    }
    int written = writer.count();
    out.beginSend(writer.length());
    for (int i = 0; i < written; i++) {
      out.add(batch.get(i).fd);
      if (claims != null) {
        claims.offer(next + i);
      }
    }
    return written;
  }

  private void cannotSend(Fd to, int errno) {
    if (isFull(errno)) {
      if (errno == Errno.EAGAIN && !watchingRoom) {
        loop.counters().count(Counter.CHANNEL_FULL);
        // Unless memory is short: then the backend's timer tries again.
        watchingRoom = loop.poller().modify(slot, to, WATCH_ROOM);
      }
      return;
    }
    // It reads no more. What it has acknowledged before that is still to be read here, and its end.
    drain();
  }

  /** Takes over a connection that {@link #pass} has offered. */
  @Override
  public void passed(Connection connection) {
    connection.offeredNanos = loop.nowNanos();
    ring[index(passed)] = connection;
    passed++;
    held++;
    loop.wakeBy(connection.offeredNanos + ackTimeoutNanos);
  }

  private static int index(long number) {
    return (int) (number & MOST_OFFERED - 1);
  }

  @Override
  public boolean prepare() {
    if (socket == null) {
      open();
    }
    return socket != null;
  }

  private void open() {
    if (restUntilNanos > loop.nowNanos() || !mayConnect()) {
      return;
    }
    int r = connect(Linux.SOCK_SEQPACKET);
    otherType = r == -Errno.EPROTOTYPE;
    if (r < 0) {
      if (!otherType || !backend.mayBePlain()) {
        reportCannotConnect(-r);
      }
      return;
    }
    Fd opened = Fd.of(r);
    // A receiver has no descriptors to send. Kernels before 6.16 do not know the option; there
    // recv(2), which takes none, drops them.
    kernel.setsockopt(opened, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0);
    int s = loop.poller().add(opened, WATCH, this);
    if (s < 0) {
      closeSocket(opened);
      return;
    }
    socket = opened;
    slot = s;
    connectedNanos = loop.nowNanos();
    loop.wakeBy(connectedNanos + HELLO_NANOS);
  }

  @Override
  public void onEvents(int events) {
    receiveSome();
    Fd open = socket;
    if (open != null && (events & Linux.EPOLLOUT) != 0 && watchingRoom) {
      watchingRoom = !loop.poller().modify(slot, open, WATCH);
    }
    backend.pump();
  }

  /**
   * Reads a message, and further ones where several lately came. The socket is watched
   * level-triggered: what is left is reported again.
   */
  private void receiveSome() {
    boolean again = receive();
    if (!again || !loop.isSaturated() || !messages.isWorthLooking(1)) {
      return;
    }
    int count = 1;
    while (count < MOST_READS && receive()) {
      count++;
    }
    messages.saw(count);
  }

  /** Reads one message; returns whether there may be another. */
  private boolean receive() {
    Fd from = socket;
    if (from == null) {
      return false;
    }
    int n = kernel.recv(from, in, 0, IN_BYTES, Linux.MSG_DONTWAIT);
    if (n > 0) {
      String fault = take(n);
      if (fault != null) {
        loop.counters().count(Counter.RECEIVER_FAULT);
        loop.log()
            .warn(
                "backend {}: unix:{}: the receiver breaks the protocol: {}: upgrade or mend it",
                backend.name(),
                path,
                fault);
        drop("it breaks the protocol", false, FAULT_REST_NANOS);
      }
      return true;
    }
    switch (-n) {
      case Errno.EAGAIN -> {
        return false;
      }
      case Errno.EINTR, Errno.ECONNRESET -> {
        // It ended with offers unread: what it has acknowledged before is still there.
        return true;
      }
      case 0 -> drop("the receiver closed it", true, REST_NANOS);
      // Not its end: it may be working on what it has claimed.
      default -> drop("recv: " + Errno.name(-n), false, REST_NANOS);
    }
    return false;
  }

  /** Takes a message in; returns null, or what is wrong with it. */
  private @Nullable String take(int length) {
    FromReceiver.Kind kind = view.parse(in.bytes(), length);
    if (kind == FromReceiver.Kind.MALFORMED) {
      return "a malformed message";
    }
    if (kind == FromReceiver.Kind.HELLO) {
      return greeted ? "a second HELLO" : greet();
    }
    if (!greeted) {
      return "its first message is not HELLO";
    }
    long before = settled;
    String fault = null;
    if (kind == FromReceiver.Kind.ACK) {
      fault = settle();
    } else if (kind == FromReceiver.Kind.REFUSE) {
      fault = refused(view.refused());
    }
    idleMessages = settled > before ? 0 : idleMessages + 1;
    if (fault == null && idleMessages > MOST_IDLE_MESSAGES) {
      return "more than " + MOST_IDLE_MESSAGES + " messages that settle nothing";
    }
    return fault;
  }

  private @Nullable String greet() {
    Fd to = socket;
    if (to == null) {
      return null;
    }
    int words = 0;
    if (view.claims()) {
      switch (Claims.make(kernel, MOST_OFFERED)) {
        case Claims.Made.Page made -> {
          claims = made.claims();
          words = made.claims().count();
        }
        case Claims.Made.Failed failed ->
            loop.log()
                .warn(
                    "backend {}: unix:{}: nothing can be taken back from it while it hangs: {}: {}",
                    backend.name(),
                    path,
                    failed.call(),
                    Errno.name(failed.errno()));
      }
    }
    // What both speak; the receiver ends it if it no longer speaks this one.
    int version = Math.min(view.version(), HandOff.VERSION);
    out.beginSend(OfferWriter.writeHello(out.payload(), version, words));
    if (claims != null) {
      out.add(claims.memory());
    }
    int r = send(to, out);
    if (claims != null) {
      claims.sent();
    }
    if (r < 0) {
      drop("sendmsg of HELLO: " + Errno.name(-r), false, REST_NANOS);
      return null;
    }
    greeted = true;
    mostAtOnce = Math.min(view.maxConnections(), MOST_AT_ONCE);
    granted = unsigned(view.granted());
    backend.gather(mostAtOnce);
    reportUp();
    loop.log()
        .info(
            "backend {}: unix:{} says hello: version {}, {} connections a message, {} credits{}",
            backend.name(),
            path,
            view.version(),
            view.maxConnections(),
            granted,
            claims == null ? ", gives nothing back while it hangs" : "");
    return null;
  }

  private @Nullable String settle() {
    long upTo = view.settled();
    if (upTo < settled || upTo > next) {
      return "it acknowledges "
          + upTo
          + " connections of "
          + next
          + " that it was offered, "
          + settled
          + " of them acknowledged before";
    }
    while (settled < upTo) {
      Connection connection = remove(settled);
      settled++;
      if (connection != null) {
        endPassed(connection);
      }
    }
    granted = Math.max(granted, unsigned(view.granted()));
    load = view.load();
    loadNanos = loop.nowNanos();
    if (view.draining()) {
      drain();
    }
    return null;
  }

  private void drain() {
    if (!draining) {
      draining = true;
      drainedByNanos = loop.nowNanos() + ackTimeoutNanos;
      loop.wakeBy(drainedByNanos);
    }
  }

  /** What is out of all bounds is as good as no bound: {@link #MOST_OFFERED} holds. */
  private static long unsigned(long value) {
    return value < 0 ? Long.MAX_VALUE : value;
  }

  private @Nullable String refused(long number) {
    if (number < settled || number >= next) {
      return "it gives back connection " + number + ", which it does not have";
    }
    Connection connection = remove(number);
    if (connection == null) {
      return null;
    }
    restUntilNanos = loop.nowNanos() + REST_NANOS;
    giveBack(number, connection, true);
    return null;
  }

  private @Nullable Connection remove(long number) {
    Connection connection = ring[index(number)];
    if (connection != null) {
      ring[index(number)] = null;
      held--;
    }
    return connection;
  }

  /**
   * Gives a connection back to the backend's queue if nobody has touched it nor can.
   *
   * @param letGo whether the receiver has none of its connections any more, even if it had claimed
   *     them
   */
  private void giveBack(long number, Connection connection, boolean letGo) {
    if (claims != null && claims.revoke(number)) {
      backend.takeBack(connection);
    } else if (!letGo) {
      // It may be working on it at this moment.
      loop.counters().count(Counter.ACK_IN_DOUBT);
      endPassed(connection);
    } else {
      switch (untouched.look(connection.fd)) {
        case UNTOUCHED -> {
          // The receiver may have made it blocking, which all copies of a descriptor share.
          kernel.fcntl(connection.fd, Linux.F_SETFL, Linux.O_RDWR | Linux.O_NONBLOCK);
          backend.takeBack(connection);
        }
        case TOUCHED -> loop.end(connection, Outcome.LOST);
        case RESET -> loop.end(connection, Outcome.RESET);
      }
    }
  }

  /**
   * Closes the socket and settles what was offered.
   *
   * @param letGo as in {@link #giveBack}
   */
  private void drop(String why, boolean letGo, long restNanos) {
    if (socket == null) {
      return;
    }
    loop.counters().count(Counter.CHANNEL_LOST);
    reportLost();
    loop.log()
        .info(
            "backend {}: unix:{} lost: {}; {} connections were not acknowledged",
            backend.name(),
            path,
            why,
            held);
    if (held > 0 || !letGo) {
      // One that ends at every offer must not keep the loop busy.
      restUntilNanos = loop.nowNanos() + restNanos;
    }
    disconnect();
    // Newest first, each before the one that came back last: so they stand in their old order.
    for (long number = passed - 1; number >= settled; number--) {
      Connection connection = remove(number);
      if (connection != null) {
        giveBack(number, connection, letGo);
      }
    }
    reset();
  }

  private void disconnect() {
    Fd open = socket;
    if (open != null) {
      socket = null;
      loop.poller().remove(slot, open);
      closeSocket(open);
    }
  }

  private void reset() {
    if (claims != null) {
      claims.close();
      claims = null;
    }
    greeted = false;
    slowHelloLogged = false;
    watchingRoom = false;
    draining = false;
    idleMessages = 0;
    load = HandOff.LOAD_UNKNOWN;
    settled = 0;
    passed = 0;
    next = 0;
    granted = 0;
    answersDue = 0;
  }

  @Override
  public long runTimers(long nowNanos) {
    if (socket == null) {
      return Long.MAX_VALUE;
    }
    if (!greeted) {
      return awaitHello(nowNanos);
    }
    long due = Long.MAX_VALUE;
    long late = settled;
    while (late < passed) {
      Connection connection = ring[index(late)];
      if (connection != null && connection.offeredNanos + ackTimeoutNanos > nowNanos) {
        due = connection.offeredNanos + ackTimeoutNanos;
        break;
      }
      late++;
    }
    for (long number = late - 1; number >= settled; number--) {
      Connection connection = ring[index(number)];
      if (connection != null) {
        due = Math.min(due, overdue(number, connection, nowNanos));
      }
    }
    if (draining && drainedByNanos <= nowNanos) {
      // Whoever has the path by now must not wait for this one.
      drop("it has had its time to drain", false, 0);
      return Long.MAX_VALUE;
    }
    if (draining) {
      due = Math.min(due, drainedByNanos);
    }
    return due;
  }

  /** Deals with one that was not acknowledged in time; returns when to look again. */
  private long overdue(long number, Connection connection, long nowNanos) {
    if (settled >= answersDue) {
      loop.counters().count(Counter.ACK_TIMED_OUT);
      loop.log()
          .warn(
              "backend {}: unix:{} does not acknowledge within ack-timeout ({} ms): it gets nothing"
                  + " more until it has; what it has not claimed is taken back",
              backend.name(),
              path,
              ackTimeoutNanos / 1_000_000);
    }
    answersDue = next;
    if (claims != null && claims.revoke(number)) {
      remove(number);
      backend.takeBack(connection);
      return Long.MAX_VALUE;
    }
    if (connection.deadlineNanos > nowNanos) {
      return connection.deadlineNanos;
    }
    // It has claimed it, or cannot give it back: it is the receiver's, and its alone from now on.
    remove(number);
    loop.counters().count(Counter.ACK_IN_DOUBT);
    endPassed(connection);
    return Long.MAX_VALUE;
  }

  private long awaitHello(long nowNanos) {
    long due = connectedNanos + HELLO_NANOS;
    if (slowHelloLogged) {
      return Long.MAX_VALUE;
    }
    if (nowNanos < due) {
      return due;
    }
    slowHelloLogged = true;
    loop.log()
        .warn(
            "backend {}: unix:{} has not said hello within a second: it hangs, or does not speak the"
                + " acknowledged hand-off: see docs/protocol.md",
            backend.name(),
            path);
    return Long.MAX_VALUE;
  }

  @Override
  public boolean isIdle() {
    return held == 0;
  }

  @Override
  public ChannelState state() {
    if (socket == null) {
      return super.state();
    }
    if (draining) {
      return ChannelState.DRAINING;
    }
    if (!greeted || settled < answersDue) {
      return ChannelState.SILENT;
    }
    return watchingRoom || room() <= 0 ? ChannelState.FULL : ChannelState.OPEN;
  }

  /** Leaves what was offered to the receiver, which claims it as ever. */
  @Override
  public void close() {
    disconnect();
    for (long number = settled; number < passed; number++) {
      Connection connection = remove(number);
      if (connection != null) {
        endPassed(connection);
      }
    }
    reset();
  }
}
