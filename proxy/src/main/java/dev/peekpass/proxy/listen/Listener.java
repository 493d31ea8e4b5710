package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.backend.Gathering;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.ListenerStatus;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Burst;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.ParserScratch;
import org.jspecify.annotations.Nullable;

/**
 * A listening socket of one loop: accepts, and gives what it accepts to its {@link Peeking}.
 *
 * <pre>{@code
 *        start, takeSocketOf        no descriptors, no memory, a failure
 * made ──────────────────────> on ───────────────────────────────────────> resting
 *                             │ ^                                            │
 *                beginClosing │ └──────────────── a moment later ────────────┘
 *                             v
 *                          closing ── endClosing ──> ending ── queue empty, or too late ──> off
 * }</pre>
 *
 * <p>Longer than others, since accepting, closing and handing over share the state of one socket.
 */
public final class Listener implements Pollable {
  /** Most connections taken before others get their turn. */
  private static final int MAX_ACCEPTS_AT_ONCE = 64;

  /** No accept queue is longer (net.core.somaxconn is 16 bits wide). */
  private static final int MOST_QUEUED = 1 << 16;

  /** How often in a row a fault may keep it from taking what is queued at last. */
  private static final int LAST_TRIES = 3;

  private static final int UNWATCHED = -1;

  private final Turn turn;
  private final Kernel kernel;
  private final Gathering gathering;
  private final Lease lease;
  private final ListenerConfig config;
  private final BoundSocket bound;
  private final Fd socket;
  private final String label;
  private final Surroundings around;
  private final Peeking peeking;
  private final Admission admission;
  private final SockAddr peer = new SockAddr();
  private final Burst arrivals = new Burst();
  private final AcceptErrors errors;
  private final NewcomerFilter filter;

  private int slot = UNWATCHED;
  private boolean open;
  private boolean closing;
  private long endByNanos = Long.MAX_VALUE;

  private long acceptAgainAtNanos = Long.MAX_VALUE;

  /**
   * Makes a listener that does not accept yet.
   *
   * @param bound listening and non-blocking; owned from {@link #own} on
   */
  public Listener(
      Surroundings around, ListenerConfig config, BoundSocket bound, ParserScratch scratch) {
    this.around = around;
    turn = around.turn();
    kernel = turn.kernel();
    gathering = around.gathering();
    lease = around.lease();
    this.config = config;
    this.bound = bound;
    socket = bound.fd();
    label = bound.label();
    peeking = new Peeking(around, config, label, scratch);
    admission = new Admission(turn, around.clients(), config, label);
    errors = new AcceptErrors(turn, label);
    filter = new NewcomerFilter(turn, bound, errors);
  }

  /** Its socket; its descriptor is this object's while it {@link #isOpen}. */
  public BoundSocket bound() {
    return bound;
  }

  /** The address that it listens on, for logs. */
  public String label() {
    return label;
  }

  /** Whether it has its socket. */
  public boolean isOpen() {
    return open;
  }

  /** Makes a socket that nobody had this object's, which nothing is done with yet. */
  public void own() {
    peeking.open();
    hold();
  }

  private void hold() {
    open = true;
    lease.enter();
    around.clients().limitInAll(around.perClient());
  }

  /** Begins to accept on a socket that is new to this loop. A fault only puts it off. */
  public void start() {
    try {
      configure();
    } catch (RuntimeException e) {
      turn.fault("listener " + label + ": it could not be set as configured", e);
    }
    beginToWatch();
  }

  /** A fault only puts it off. */
  private void beginToWatch() {
    try {
      watch();
    } catch (RuntimeException e) {
      turn.fault("listener " + label + ": it could not be watched", e);
      restUntil(turn.nowNanos() + AcceptErrors.REST_NANOS);
    }
  }

  /** Takes the socket of another listener, which keeps its connections and accepts no more. */
  public void takeSocketOf(Listener before) {
    hold();
    before.disown();
    slot = before.slot;
    acceptAgainAtNanos = before.acceptAgainAtNanos;
    filter.follow(before.filter);
    before.slot = UNWATCHED;
    before.acceptAgainAtNanos = Long.MAX_VALUE;
    peeking.follow(before.peeking);
    if (slot >= 0) {
      turn.poller().replace(slot, this);
    }
  }

  /**
   * Sets the socket as configured, where that differs from the listener that had it, and lets new
   * connections begin again if it was closing. A fault there is tried again.
   */
  public void adapt(Listener before) {
    if (filter.isAttached()) {
      filter.detach();
      turn.wakeBy(turn.nowNanos() + AcceptErrors.REST_NANOS);
    }
    try {
      if (before.config.backlog() != config.backlog()
          || before.config.deferAccept() != config.deferAccept()) {
        configure();
      }
    } catch (RuntimeException e) {
      turn.fault("listener " + label + ": it could not be set as configured", e);
    }
  }

  private void disown() {
    open = false;
    lease.leave();
  }

  private void configure() {
    int r = bound.configure(kernel, config);
    if (r < 0) {
      turn.log().warn("listener {}: backlog or defer-accept not set: {}", label, Errno.name(-r));
    }
  }

  private void watch() {
    // Loops that share a socket are woken one at a time.
    int interest = bound.shared() ? Linux.EPOLLIN | Linux.EPOLLEXCLUSIVE : Linux.EPOLLIN;
    slot = turn.poller().add(socket, interest, this);
    if (slot < 0) {
      int errno = -slot;
      slot = UNWATCHED;
      restUntil(turn.nowNanos() + AcceptErrors.REST_NANOS);
      errors.warn("epoll_ctl ADD: {}: trying again", errno);
    }
  }

  @Override
  public void onEvents(int events) {
    accept(connectionsToAccept());
  }

  /** Level-triggered: what is left is reported again, but not at once. */
  @Override
  public void onFault() {
    rest(AcceptErrors.REST_NANOS);
  }

  /**
   * How many connections to accept now. Asking costs a call and pays only when several wait, which
   * is when the loop does not come to rest between events, and lately was so. An accept that finds
   * nobody would cost more.
   */
  private int connectionsToAccept() {
    if (!turn.isSaturated() || !arrivals.isWorthLooking(gathering.callsAnotherSpares())) {
      return 1;
    }
    int waiting = Math.clamp(filter.queued(), 1, MAX_ACCEPTS_AT_ONCE);
    arrivals.saw(waiting);
    return waiting;
  }

  private void accept(int count) {
    for (int i = 0; i < count; i++) {
      // Whoever is queued at the end has no other time to be accepted.
      if (turn.headroom().isReached() && !isEnding() && !makeRoom(Errno.EMFILE)) {
        return;
      }
      peeking.prepare();
      int r = acceptOne();
      if (r >= 0) {
        Fd fd = Fd.of(r);
        turn.headroom().took(fd);
        accepted(fd);
      } else if (!canAcceptMore(-r)) {
        return;
      }
    }
  }

  /** An interrupted call took nobody from the queue and does not count. */
  private int acceptOne() {
    int r;
    do {
      r = kernel.accept4(socket, peer, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    } while (r == -Errno.EINTR);
    return r;
  }

  private void accepted(Fd fd) {
    turn.count(Counter.ACCEPTED);
    errors.recovered();
    boolean inherits = filter.isInherited(closing);
    Refusal refusal = refusal(fd);
    if (refusal == null) {
      peeking.begin(fd, peer, inherits);
      return;
    }
    around.ending().turnAway(fd, refusal.outcome());
    admission.count(peeking.counts(), refusal, peer.high(), peer.low());
  }

  /** Why its client is not let in, or null; whatever is thrown, it is not left open. */
  private @Nullable Refusal refusal(Fd fd) {
    try {
      return admission.refusal(peeking.counts(), peer.high(), peer.low());
    } catch (RuntimeException | Error e) {
      around.ending().turnAway(fd, Outcome.FAILED);
      throw e;
    }
  }

  /** Deals with what accept4 reports; returns whether the next accept makes sense now. */
  private boolean canAcceptMore(int errno) {
    return switch (AcceptErrors.kind(errno)) {
      case NONE -> false;
      case CLIENT -> true;
      case LIMIT -> makeRoom(errno);
      case SOCKET -> {
        failed(errno);
        yield false;
      }
    };
  }

  /**
   * At a limit of descriptors or memory: hands off what is ready to go, else ends who lingers with
   * its answer, else gives up the oldest incomplete connection, or rests.
   */
  private boolean makeRoom(int errno) {
    turn.count(Counter.ACCEPT_LIMIT_REACHED);
    if (gathering.flush() || around.refuser().releaseOldest()) {
      return true;
    }
    errors.warn(
        "accept: {}: giving up the oldest incomplete connections; raise the limit of open files"
            + " (ulimit -n, LimitNOFILE=)",
        errno);
    if (peeking.shedOldest()) {
      return true;
    }
    rest(AcceptErrors.REST_NANOS);
    return false;
  }

  /**
   * Accept fails for a reason of the socket's own: says so, and rests. EINVAL: somebody who shares
   * the socket has shut it down. A socket that was bound to a port by its number keeps it then.
   */
  private void failed(int errno) {
    turn.count(Counter.ACCEPT_FAILED);
    if (errno == Errno.EINVAL && kernel.listen(socket, config.backlog()) >= 0) {
      errors.warn(
          "accept: {}: a process that shares the socket has shut it down (shutdown(2)): listening"
              + " again",
          errno);
    } else {
      errors.warn(
          "accept: {}: a firewall, a security module or another process: trying again", errno);
    }
    rest(errors.nextRestNanos());
  }

  /** Stops accepting for a moment; clients wait in the kernel's queue and are not lost. */
  private void rest(long nanos) {
    restUntil(turn.nowNanos() + nanos);
    unwatch();
  }

  private void restUntil(long nanos) {
    acceptAgainAtNanos = nanos;
    turn.wakeBy(nanos);
  }

  private void unwatch() {
    int watched = slot;
    if (watched >= 0) {
      slot = UNWATCHED;
      turn.poller().remove(watched, socket);
    }
  }

  /** Does what is due; returns when something is due next, or {@link Long#MAX_VALUE}. */
  public long runTimers(long nowNanos) {
    long due =
        Math.min(peeking.runTimers(nowNanos), admission.runTimers(peeking.counts(), nowNanos));
    if (acceptAgainAtNanos <= nowNanos) {
      acceptAgainAtNanos = Long.MAX_VALUE;
      beginToWatch();
    }
    if (filter.isAttached() && !closing) {
      filter.detach();
      due = Math.min(due, turn.nowNanos() + AcceptErrors.REST_NANOS);
    }
    return Math.min(due, acceptAgainAtNanos);
  }

  /** Whether no connection of it waits to be routed. */
  public boolean isIdle() {
    return peeking.isIdle();
  }

  /**
   * Lets no new connection begin, and goes on accepting those that have: their handshake may not be
   * over, or the kernel may hold them back until their first bytes come.
   */
  public void beginClosing() {
    beginClosing(false);
  }

  private void beginClosing(boolean ends) {
    if (closing) {
      return;
    }
    closing = true;
    filter.attach(ends);
  }

  /** Whether no new connection begins here. */
  public boolean isClosing() {
    return closing;
  }

  /**
   * Accepts what is queued, then no more; what is pending goes on. No new connection begins
   * meanwhile, so that it comes to an end, and that is not waited for beyond a time.
   *
   * @param byNanos when what is queued still is given up
   */
  public void endClosing(long byNanos) {
    beginClosing(true);
    endByNanos = Math.min(endByNanos, byNanos);
    turn.wakeBy(turn.nowNanos());
  }

  /** Whether {@link #endClosing} was called, so that {@link #endIfEmpty} is worth asking. */
  public boolean isEnding() {
    return open && endByNanos != Long.MAX_VALUE;
  }

  /**
   * Accepts some of what is queued, and closes its socket if nothing is. If it is too late for the
   * rest it takes what is there and closes it all the same.
   *
   * @return whether it has no socket any more
   */
  public boolean endIfEmpty() {
    if (turn.nowNanos() >= endByNanos) {
      acceptTheRest();
      abandonSocket();
      return true;
    }
    int left = filter.queued();
    if (left > 0) {
      long before = turn.counters().get(Counter.ACCEPTED);
      accept(Math.min(left, MAX_ACCEPTS_AT_ONCE));
      boolean progress = turn.counters().get(Counter.ACCEPTED) > before;
      turn.wakeBy(turn.nowNanos() + (progress ? 0 : AcceptErrors.REST_NANOS));
      return false;
    }
    abandonSocket();
    return true;
  }

  /** Takes all that is queued, for the last time; a fault at one does not lose the others. */
  private void acceptTheRest() {
    int fruitless = 0;
    while (fruitless < LAST_TRIES) {
      long before = turn.counters().get(Counter.ACCEPTED);
      try {
        accept(MOST_QUEUED);
        return;
      } catch (RuntimeException e) {
        turn.fault("listener " + label + ": it could not take what is queued", e);
      }
      fruitless = turn.counters().get(Counter.ACCEPTED) > before ? 0 : fruitless + 1;
    }
  }

  /** Accepts no more and closes its descriptor; the socket lives on if others have it. */
  public void abandonSocket() {
    if (!open) {
      return;
    }
    acceptAgainAtNanos = Long.MAX_VALUE;
    endByNanos = Long.MAX_VALUE;
    peeking.close();
    disown();
    try {
      unwatch();
    } finally {
      try {
        filter.leaveNone();
      } finally {
        kernel.close(socket);
      }
    }
  }

  /** Ends what is pending, the proxy stopping. */
  public void endPending() {
    peeking.endPending();
  }

  /** What it is doing. */
  public ListenerStatus status() {
    return new ListenerStatus(
        label,
        bound.bind().toString(),
        closing,
        1,
        filter.queued(),
        peeking.pendingOfSocket(),
        peeking.counts().clientsHere(),
        peeking.counts().turnedAway());
  }
}
