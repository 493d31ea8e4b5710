package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Method;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import org.jspecify.annotations.Nullable;

/**
 * A channel on a seqpacket socket whose receiver acknowledges what it has ({@code acknowledged}).
 * The proxy keeps its descriptor until then ({@link Offers}), so that a connection which nobody has
 * touched can go to another receiver when this one dies, hangs or refuses.
 *
 * <pre>{@code
 *         connect          HELLO            no credits, or the socket is full
 * closed ─────────> silent ───────> ready <──────────────────────────────────> full
 *    ^                 │             │ ^
 *    │ peer gone, fault│       too late│ │ all answered for
 *    │                 │             v │
 *    ├─────────────────│──────── overdue, draining
 *    │                 v             │
 *    └─── another receiver has the path: over to it
 * }</pre>
 *
 * <p>An overdue channel gets nothing more until the receiver has answered for all it was offered.
 *
 * <p>Longer than others, since each of these states decides what every message and every timer
 * does.
 */
final class AcknowledgedChannel extends Channel implements Pollable, MessageReader.Hearer {
  /** How long a receiver may take to say hello before that is worth a line in the log. */
  private static final long HELLO_NANOS = 1_000_000_000L;

  /** How long a receiver that has just been connected to may be waited for by its clients. */
  private static final long GREETING_NANOS = 100_000_000;

  /** How long what a receiver says of its load holds: one that gets nothing says nothing anew. */
  private static final long LOAD_NANOS = 1_000_000_000L;

  private static final long MILLION = 1_000_000;

  private final OfferMessage offer = new OfferMessage();
  private final ChannelLog log;
  private final long ackTimeoutNanos;
  private final Offers offers;
  private final MessageReader reading;
  private final Greeting greeting;
  private final Successor successor;

  private @Nullable SeqpacketSocket socket;
  private boolean otherType;
  private boolean greeted;
  private boolean slowHelloLogged;
  private long connectedNanos;
  private boolean draining;
  private long drainedByNanos;
  private int load = HandOff.LOAD_UNKNOWN;
  private long loadNanos;

  AcknowledgedChannel(
      Turn turn, Ending ending, Passing backend, BackendConfig config, String path) {
    super(turn, backend, config, path);
    ackTimeoutNanos = config.ackTimeout().toNanos();
    offers = new Offers(turn, ending, backend, this, ackTimeoutNanos);
    reading = new MessageReader(turn, this);
    log = new ChannelLog(turn, config.name(), path);
    greeting = new Greeting(kernel, log);
    successor = new Successor(turn, this::openBeside, this::goOverToSuccessor);
  }

  /** Whether the last attempt to connect found a socket of another type. */
  boolean isOtherType() {
    return otherType;
  }

  @Override
  public int pass(Batch batch) {
    SeqpacketSocket to = prepare() ? socket : null;
    if (to == null || !takes() || !mayHave(batch)) {
      return 0;
    }
    long room = offers.room();
    if (room <= 0) {
      turn.count(Counter.CHANNEL_FULL);
      return 0;
    }
    int most = Math.min(batch.size(), offer.most(turn.nowNanos()));
    int count = offer.write(batch, (int) Math.min(most, room), offers);
    int r = send(to.fd(), offer.message(), count);
    while (r < 0 && count > 1 && MessageLimit.mayTakeFewer(-r)) {
      count = offer.write(batch, offer.refused(count, turn.nowNanos()), offers);
      r = send(to.fd(), offer.message(), count);
    }
    if (r > 0) {
      turn.count(Counter.MESSAGES_SENT);
      reading.expect(count);
      takeOver(batch, count);
      return count;
    }
    cannotSend(to, -r);
    return 0;
  }

  @Override
  boolean acknowledges() {
    return true;
  }

  @Override
  void taken(Connection connection) {
    offers.put(connection);
  }

  @Override
  public boolean isReady() {
    if (socket == null) {
      return mayConnect();
    }
    return takes() && offers.room() > 0 && !isFull();
  }

  private boolean isFull() {
    SeqpacketSocket open = socket;
    return open != null && open.isFull();
  }

  /** Whether the receiver has said that it takes connections and keeps to it. */
  private boolean takes() {
    return greeted && !draining && !offers.isOverdue() && !rest.isOn(turn.nowNanos());
  }

  @Override
  public boolean isThere() {
    if (socket == null) {
      return super.isThere() && !rest.isLong(turn.nowNanos());
    }
    return greeted
        ? !draining && !offers.isOverdue()
        : turn.nowNanos() < connectedNanos + HELLO_NANOS;
  }

  @Override
  public boolean isGreeting() {
    return socket != null && !greeted && turn.nowNanos() < connectedNanos + GREETING_NANOS;
  }

  /** How full its credits are, and the load it told of lately. */
  @Override
  public long busyMillionths(int more) {
    long window = offers.window();
    long full = window <= 0 ? MILLION : (offers.unsettled() + more) * MILLION / window;
    return (socket == null ? 0 : full) + Math.max(0, load()) * (MILLION / HandOff.MAX_LOAD);
  }

  @Override
  public int unsettled() {
    return offers.held();
  }

  @Override
  public int load() {
    boolean known = load != HandOff.LOAD_UNKNOWN && turn.nowNanos() - loadNanos <= LOAD_NANOS;
    return known ? load : -1;
  }

  private void cannotSend(SeqpacketSocket to, int errno) {
    if (isFull(errno)) {
      if (errno == Errno.EAGAIN) {
        if (!to.isFull()) {
          turn.count(Counter.CHANNEL_FULL);
        }
        to.watchRoom();
      }
      return;
    }
    // It reads no more. What it has acknowledged before that is still to be read here, and its end.
    drain();
  }

  @Override
  public boolean prepare() {
    if (socket == null) {
      open();
    }
    return socket != null;
  }

  private void open() {
    if (!mayConnect()) {
      return;
    }
    int r = connect(Linux.SOCK_SEQPACKET);
    otherType = r == -Errno.EPROTOTYPE;
    if (r < 0) {
      if (!otherType || config.method() != Method.AUTO) {
        reach.cannotConnect(-r);
      }
      return;
    }
    begin(SeqpacketSocket.watch(turn, Fd.of(r), this::closeChannel, this));
  }

  private void begin(@Nullable SeqpacketSocket opened) {
    if (opened != null) {
      socket = opened;
      meet(opened.fd());
      connectedNanos = turn.nowNanos();
      reading.begin();
      turn.wakeBy(connectedNanos + HELLO_NANOS);
    }
  }

  /** Where descriptors may stand in its queue, closing it frees them, which may wait. */
  private void closeChannel(Fd channel) {
    if (mayBringDescriptors()) {
      backend.aside().close(channel);
    } else {
      closeSocket(channel);
    }
  }

  /** For the successor, of whose attempts nothing else is to be known. */
  private @Nullable SeqpacketSocket openBeside(Pollable pollable) {
    int r = connect(Linux.SOCK_SEQPACKET);
    return r < 0 ? null : SeqpacketSocket.watch(turn, Fd.of(r), this::closeChannel, pollable);
  }

  @Override
  public void onEvents(int events) {
    reading.readSome();
    SeqpacketSocket open = socket;
    if (open != null && (events & Linux.EPOLLOUT) != 0) {
      open.hasRoom();
    }
    backend.pump();
  }

  @Override
  public void onFault() {
    abort();
    backend.pump();
  }

  @Override
  public boolean mayBringDescriptors() {
    return super.mayBringDescriptors();
  }

  @Override
  public @Nullable Fd socket() {
    SeqpacketSocket open = socket;
    return open == null ? null : open.fd();
  }

  @Override
  public long settled() {
    return offers.settled();
  }

  @Override
  public void onBreach(String what) {
    turn.count(Counter.RECEIVER_FAULT);
    log.breach(what);
    drop("it breaks the protocol", false, Rest.LONG_NANOS);
  }

  @Override
  public void onEnd() {
    drop("the receiver closed it", true, Rest.SHORT_NANOS);
  }

  @Override
  public void onFailure(String what) {
    drop(what, false, Rest.SHORT_NANOS);
  }

  @Override
  public @Nullable String onMessage(FromReceiver.Kind kind, FromReceiver message) {
    if (kind == FromReceiver.Kind.DENY) {
      denied(message);
      return null;
    }
    if (kind == FromReceiver.Kind.HELLO) {
      return greeted ? "a second HELLO" : greet(message);
    }
    if (!greeted) {
      return "its first message is not HELLO";
    }
    return switch (kind) {
      case ACK -> settle(message);
      case REFUSE -> refused(message.refused());
      default -> null;
    };
  }

  private @Nullable String greet(FromReceiver theirs) {
    SeqpacketSocket to = socket;
    if (to == null) {
      return null;
    }
    Claims page = greeting.claims(theirs);
    offers.claims(page);
    int r = greeting.answer(to.fd(), theirs, page, offer.message(), this::send);
    if (r < 0) {
      drop("sendmsg of HELLO: " + Errno.name(-r), false, Rest.SHORT_NANOS);
      return null;
    }
    greeted = true;
    successor.close();
    int most = Math.min(theirs.maxConnections(), MOST_AT_ONCE);
    offer.want(most);
    offers.grant(unsigned(theirs.granted()));
    backend.gather(most);
    reach.up();
    log.saysHello(theirs, unsigned(theirs.granted()), page != null);
    return null;
  }

  private @Nullable String settle(FromReceiver ack) {
    long upTo = ack.settled();
    if (upTo < offers.settled() || upTo > offers.next()) {
      return "it acknowledges "
          + upTo
          + " connections of "
          + offers.next()
          + " that it was offered, "
          + offers.settled()
          + " of them acknowledged before";
    }
    long before = passedCount();
    offers.settleUpTo(upTo);
    if (passedCount() > before) {
      rest.taken();
    }
    if (!offers.isOverdue()) {
      successor.close();
    }
    offers.grant(unsigned(ack.granted()));
    load = ack.load();
    loadNanos = turn.nowNanos();
    if (ack.draining()) {
      drain();
    }
    return null;
  }

  private void drain() {
    if (!draining) {
      draining = true;
      drainedByNanos = turn.nowNanos() + ackTimeoutNanos;
      turn.wakeBy(drainedByNanos);
    }
  }

  /** What is out of all bounds is as good as no bound: {@link Offers#MOST} holds. */
  private static long unsigned(long value) {
    return value < 0 ? Long.MAX_VALUE : value;
  }

  /** It says that it does not let the proxy in, and why. */
  private void denied(FromReceiver message) {
    turn.count(Counter.CHANNEL_REFUSED);
    int uid = message.deniedUid();
    Denial denial = Denial.of(message.deniedReason(), uid, kernel);
    reach.refused(denial.why(), denial.remedy());
    if (greeted) {
      drain();
    } else {
      drop("it does not let the proxy in", true, Rest.SHORT_NANOS);
    }
  }

  private @Nullable String refused(long number) {
    if (number < offers.settled() || number >= offers.next()) {
      return "it gives back connection " + number + ", which it does not have";
    }
    rest.gaveBack(turn.nowNanos());
    offers.refused(number);
    return null;
  }

  /**
   * Closes the socket and settles what was offered.
   *
   * @param letGo whether the receiver has none of its connections any more
   */
  private void drop(String why, boolean letGo, long restNanos) {
    if (socket == null) {
      return;
    }
    turn.count(Counter.CHANNEL_LOST);
    reach.lost();
    log.lost(why, offers.held());
    boolean gaveBack = !greeted || offers.held() > 0 || !letGo;
    rest.ended(turn.nowNanos(), connectedNanos, gaveBack ? restNanos : 0);
    if (rest.isAgain() && reach.state() != ChannelState.REFUSED) {
      Denial denial = greeted ? Denial.takesNone() : Denial.unsaid(kernel);
      reach.refused(denial.why(), denial.remedy());
    }
    try {
      disconnect();
    } finally {
      offers.giveAllBack(letGo);
    }
  }

  /** Closes the socket; the channel is as it was before it was opened, but for the offers. */
  private void disconnect() {
    SeqpacketSocket open = socket;
    socket = null;
    greeted = false;
    slowHelloLogged = false;
    draining = false;
    load = HandOff.LOAD_UNKNOWN;
    try {
      successor.close();
    } finally {
      if (open != null) {
        open.close();
      }
    }
  }

  @Override
  public long runTimers(long nowNanos) {
    SeqpacketSocket open = socket;
    if (open == null) {
      return Long.MAX_VALUE;
    }
    if (!greeted) {
      return awaitHello(open, nowNanos);
    }
    boolean before = offers.isOverdue();
    long due = offers.runTimers(nowNanos);
    if (offers.isOverdue()) {
      if (!before) {
        turn.count(Counter.ACK_TIMED_OUT);
        log.overdue(ackTimeoutNanos / 1_000_000);
      }
      due = Math.min(due, successor.look(open, nowNanos));
    }
    if (draining && drainedByNanos <= nowNanos) {
      // Whoever has the path by now must not wait for this one.
      drop("it has had its time to drain", false, 0);
      return Long.MAX_VALUE;
    }
    return draining ? Math.min(due, drainedByNanos) : due;
  }

  private long awaitHello(SeqpacketSocket open, long nowNanos) {
    long due = connectedNanos + HELLO_NANOS;
    if (nowNanos < due) {
      return due;
    }
    if (!slowHelloLogged) {
      slowHelloLogged = true;
      log.noHello();
    }
    return successor.look(open, nowNanos);
  }

  /** Another receiver has the path, and has said hello, or has ended already. */
  private void goOverToSuccessor() {
    // What the present one has said meanwhile comes first: it may only have been slow.
    reading.readSome();
    if (socket == null || (greeted && !offers.isOverdue())) {
      successor.close();
      return;
    }
    // Before the drop, which closes what the successor has.
    SeqpacketSocket next = successor.take(this);
    try {
      drop("another receiver has its path", false, 0);
    } finally {
      // It is this object's already, which the poller tells of it.
      rest.end();
      begin(next);
    }
    reading.readSome();
    backend.pump();
  }

  @Override
  public boolean isIdle() {
    return offers.held() == 0;
  }

  @Override
  public ChannelState state() {
    if (socket == null) {
      return super.state();
    }
    if (draining) {
      return ChannelState.DRAINING;
    }
    if (!greeted || offers.isOverdue()) {
      return ChannelState.SILENT;
    }
    return isFull() || offers.room() <= 0 ? ChannelState.FULL : ChannelState.OPEN;
  }

  @Override
  public void abort() {
    if (socket == null) {
      offers.giveAllBack(false);
    } else {
      drop("a fault in Peekpass", false, Rest.LONG_NANOS);
    }
  }

  /** Leaves what was offered to the receiver, which claims it as ever. */
  @Override
  public void close() {
    try {
      disconnect();
    } finally {
      offers.leaveAll();
    }
  }
}
