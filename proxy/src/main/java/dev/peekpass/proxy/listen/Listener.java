package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.TcpInfo;
import dev.peekpass.proxy.Loop;
import dev.peekpass.proxy.Setup;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.config.Fallback;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.PeekMode;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.refusal.Answer;
import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Burst;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * A listening socket of one loop, and its connections until they are routed.
 *
 * <pre>{@code
 * accept ──> peek ──complete──> route ──> hand-off (Backend) or refusal (Refuser)
 *             │ ^
 *  incomplete │ │ more bytes came          deadline, end of stream, too many waiting
 *             v │                          ┌──────────────────────────────────────> refusal
 *           pending ───────────────────────┘
 * }</pre>
 *
 * A connection whose head is there at the first peek never joins epoll. Others join it
 * edge-triggered: peeking leaves the bytes in place, so a level-triggered watch would report them
 * for ever.
 */
public final class Listener implements Pollable {
  /** Most connections taken before others get their turn. */
  private static final int MAX_ACCEPTS_AT_ONCE = 64;

  /** Covers every ordinary head; only larger ones are worth a second call into a larger buffer. */
  private static final int FIRST_PEEK_BYTES = 4096;

  /** How long accept rests when descriptors or memory have run out. */
  private static final long ACCEPT_REST_NANOS = 20_000_000;

  /** How many ended connections are kept for reuse. */
  private static final int MAX_SPARE = 4096;

  /** What TCP_DEFER_ACCEPT is set to: the kernel keeps a silent client to itself this long. */
  public static final int DEFER_ACCEPT_SECONDS = 1;

  private static final long DEFERRED_NANOS = DEFER_ACCEPT_SECONDS * 1_000_000_000L;

  /** How to turn away what is broken or late where the fallback is a backend. */
  private static final Fallback.Reject ANSWER_ALL =
      new Fallback.Reject(Fallback.Kind.HTTP_STATUS, Fallback.DEFAULT_HTTP_STATUS);

  /** How often accepting is tried in vain before what is queued is given up when stopping. */
  private static final int STOP_TRIES = 3;

  private final Loop loop;
  private final Kernel kernel;
  private final Setup setup;
  private final ListenerConfig config;
  private final ListenerSocket listening;
  private final Fd socket;
  private final String label;
  private final byte[] labelBytes;
  private final SockAddr peer = new SockAddr();
  private final TcpInfo queueInfo = new TcpInfo();
  private final Burst arrivals = new Burst();
  private final NativeBuffer buffer;
  private final int maxPeekBytes;
  private final long peekTimeoutNanos;
  private final ParserScratch scratch;

  /**
   * Incomplete connections, in two queues because each queue gives all its members the same time.
   */
  private final ConnectionQueue begun = new ConnectionQueue();

  private final ConnectionQueue silent = new ConnectionQueue();
  private final ArrayDeque<Connection> spare = new ArrayDeque<>();
  private final Fallback.Reject reject;
  private final Answer noRoute;

  /** The listener that had the socket before a reload, while connections of it are incomplete. */
  private @Nullable Listener predecessor;

  private int slot = Connection.UNWATCHED;
  private boolean closing;

  /** How many of the queue may have the filter of when the socket was closing. */
  private int filtered;

  private long acceptAgainAtNanos = Long.MAX_VALUE;
  private boolean limitLogged;

  /**
   * Makes a listener that does not accept yet.
   *
   * @param socket listening and non-blocking; owned from {@link #start} or {@link #takeSocketOf} on
   */
  public Listener(
      Setup setup, ListenerConfig config, ListenerSocket socket, ParserScratch scratch) {
    this.setup = setup;
    this.loop = setup.loop;
    this.kernel = loop.kernel();
    this.config = config;
    this.listening = socket;
    this.socket = socket.fd();
    this.label = socket.label();
    labelBytes = label.getBytes(StandardCharsets.US_ASCII);
    this.buffer = setup.buffer;
    this.scratch = scratch;
    maxPeekBytes = config.maxPeekBytes();
    peekTimeoutNanos = config.peekTimeout().toNanos();
    reject = config.fallback() instanceof Fallback.Reject r ? r : ANSWER_ALL;
    noRoute = Answer.http1(reject.httpStatus(), "No site of this name is served here.");
  }

  public Setup setup() {
    return setup;
  }

  public ListenerSocket listening() {
    return listening;
  }

  public String label() {
    return label;
  }

  /** The same as bytes, for receivers; nobody writes to them. */
  public byte[] labelBytes() {
    return labelBytes;
  }

  public RouteTable routes() {
    return config.routes();
  }

  /** Begins to accept on a socket that is new to this loop. */
  public void start() {
    setup.enter();
    configure();
    watch();
  }

  /**
   * Goes on accepting where another listener did, which keeps its connections and accepts no more.
   * The kernel is told only what differs.
   */
  public void takeSocketOf(Listener before) {
    setup.enter();
    slot = before.slot;
    acceptAgainAtNanos = before.acceptAgainAtNanos;
    if (slot >= 0) {
      loop.poller().replace(slot, this);
      before.slot = Connection.UNWATCHED;
    }
    before.acceptAgainAtNanos = Long.MAX_VALUE;
    filtered = before.filtered;
    if (before.closing) {
      kernel.setsockopt(socket, Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0);
      // What came to the queue meanwhile has inherited it.
      filtered = queued();
    }
    if (before.config.backlog() != config.backlog()
        || before.config.deferAccept() != config.deferAccept()) {
      configure();
    }
    predecessor = before;
    forgetIdlePredecessors();
    before.setup.leave();
  }

  private void configure() {
    int r = listening.configure(kernel, config);
    if (r < 0) {
      loop.log().warn("listener {}: backlog or defer-accept not set: {}", label, Errno.name(-r));
    }
  }

  private void watch() {
    // Loops that share a socket are woken one at a time.
    int interest = listening.shared() ? Linux.EPOLLIN | Linux.EPOLLEXCLUSIVE : Linux.EPOLLIN;
    slot = loop.poller().add(socket, interest, this);
    if (slot < 0) {
      loop.log().warn("listener {}: epoll_ctl ADD: {}: trying again", label, Errno.name(-slot));
      restUntil(loop.nowNanos() + ACCEPT_REST_NANOS);
    }
  }

  @Override
  public void onEvents(int events) {
    accept(connectionsToAccept());
  }

  /**
   * How many connections to accept now. Asking costs a call and pays only when several wait, which
   * is when the loop does not come to rest between events, and lately was so. An accept that finds
   * nobody would cost more.
   */
  private int connectionsToAccept() {
    if (!loop.isSaturated() || !arrivals.isWorthLooking(loop.callsAnotherSpares())) {
      return 1;
    }
    int waiting = Math.clamp(queued(), 1, MAX_ACCEPTS_AT_ONCE);
    arrivals.saw(waiting);
    return waiting;
  }

  private void accept(int count) {
    for (int i = 0; i < count; i++) {
      int r = acceptOne();
      if (r >= 0) {
        accepted(Fd.of(r));
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
    loop.counters().count(Counter.ACCEPTED);
    setup.enter();
    if (closing || filtered > 0) {
      // The connection has inherited it (socket(7)).
      kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0);
      filtered = Math.max(filtered - 1, 0);
    }
    Connection connection = spare.poll();
    if (connection == null) {
      connection = new Connection(this, new FirstFlightParser(scratch));
    }
    connection.begin(fd, peer, loop.nowNanos());
    try {
      if (config.peek() == PeekMode.NONE) {
        fallBack(connection, Outcome.REFUSED_FOREIGN);
      } else {
        peek(connection, false);
      }
    } catch (RuntimeException e) {
      fail(connection, e);
    }
  }

  /** Sorts what accept4 reports; returns whether the next accept makes sense now. */
  private boolean canAcceptMore(int errno) {
    return switch (errno) {
      case Errno.EAGAIN -> false;
      case Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.ENOBUFS -> makeRoom(errno);
      // The client has gone already (ECONNABORTED), or an error of its network (accept(2)).
      default -> true;
    };
  }

  /**
   * At a limit of descriptors or memory: hands off what is ready to go, else gives up the oldest
   * incomplete connection, or rests.
   */
  private boolean makeRoom(int errno) {
    loop.counters().count(Counter.ACCEPT_LIMIT_REACHED);
    if (loop.flush()) {
      return true;
    }
    if (!limitLogged) {
      limitLogged = true;
      loop.log()
          .warn(
              "listener {}: accept: {}: giving up the oldest incomplete connections; raise the"
                  + " limit of open files (ulimit -n, LimitNOFILE=)",
              label,
              Errno.name(errno));
    }
    Connection oldest = oldestOfSocket();
    if (oldest == null) {
      rest();
      return false;
    }
    shed(oldest);
    return true;
  }

  /** Stops accepting for a moment; clients wait in the kernel's queue and are not lost. */
  private void rest() {
    unwatch();
    restUntil(loop.nowNanos() + ACCEPT_REST_NANOS);
  }

  private void restUntil(long nanos) {
    slot = Connection.UNWATCHED;
    acceptAgainAtNanos = nanos;
    loop.wakeBy(nanos);
  }

  private void unwatch() {
    if (slot >= 0) {
      loop.poller().remove(slot, socket);
      slot = Connection.UNWATCHED;
    }
  }

  /** A connection of this listener has news: more bytes, its end, or an error. */
  public void onConnectionReady(Connection connection, int events) {
    if (connection.lingering) {
      loop.refuser().onReady(connection);
      return;
    }
    if ((events & Linux.EPOLLERR) != 0) {
      // A reset leaves what came before it to be peeked at, but there is nobody to pass.
      leavePending(connection);
      loop.end(connection, Outcome.RESET);
      return;
    }
    try {
      peek(connection, (events & (Linux.EPOLLRDHUP | Linux.EPOLLHUP)) != 0);
    } catch (RuntimeException e) {
      fail(connection, e);
    }
  }

  /**
   * Looks at a connection's first bytes, leaving them where they are.
   *
   * @param ended whether the client is known to have ended its side, so that no more will come
   */
  private void peek(Connection connection, boolean ended) {
    int seen = connection.peekedBytes;
    int want = seen < FIRST_PEEK_BYTES ? Math.min(FIRST_PEEK_BYTES, maxPeekBytes) : maxPeekBytes;
    int n = recvPeek(connection.fd, want);
    if (n == want && n < maxPeekBytes) {
      n = recvPeek(connection.fd, maxPeekBytes);
    }
    if (n == -Errno.EAGAIN) {
      awaitMore(connection);
      return;
    }
    if (n <= 0) {
      leavePending(connection);
      loop.end(connection, n == 0 ? Outcome.TRUNCATED : Outcome.RESET);
      return;
    }
    if (n == seen && !ended) {
      return;
    }
    connection.peekedBytes = n;
    Parsed<Peeked> parsed = connection.parser.parse(buffer.bytes(), n);
    connection.protocol = connection.parser.protocol();
    if (parsed instanceof Parsed.Incomplete && !ended && n < maxPeekBytes) {
      awaitMore(connection);
      return;
    }
    leavePending(connection);
    decide(connection, parsed);
  }

  private int recvPeek(Fd fd, int length) {
    int n;
    do {
      n = kernel.recv(fd, buffer, 0, length, Linux.MSG_PEEK | Linux.MSG_DONTWAIT);
    } while (n == -Errno.EINTR);
    return n;
  }

  private void decide(Connection connection, Parsed<Peeked> parsed) {
    switch (parsed) {
      case Parsed.Found<Peeked> found -> route(connection, found.value());
      case Parsed.Absent<Peeked> absent -> {
        connection.remember(absent.value(), setup.accessLog.isEnabled());
        fallBack(connection, Outcome.REFUSED_NO_HOST);
      }
      case Parsed.Foreign<Peeked> foreign -> fallBack(connection, Outcome.REFUSED_FOREIGN);
      case Parsed.Invalid<Peeked> invalid -> {
        connection.reason = invalid.reason();
        refuse(connection, Outcome.REFUSED_MALFORMED);
      }
      case Parsed.TooLarge<Peeked> large -> refuse(connection, Outcome.REFUSED_TOO_LARGE);
      case Parsed.Incomplete<Peeked> incomplete ->
          refuse(
              connection,
              connection.peekedBytes >= maxPeekBytes
                  ? Outcome.REFUSED_TOO_LARGE
                  : Outcome.TRUNCATED);
    }
  }

  private void route(Connection connection, Peeked peeked) {
    connection.remember(peeked, setup.accessLog.isEnabled());
    RouteTable routes = config.routes();
    int route = routes.find(peeked.host(), peeked.alpn(), connection.peerHigh, connection.peerLow);
    if (route == RouteTable.NONE) {
      fallBack(connection, Outcome.REFUSED_NO_ROUTE);
      return;
    }
    connection.route = route;
    setup.backend(routes.backendIndex(route)).handOff(connection);
  }

  /** Gives a connection that no route takes to the fallback. */
  private void fallBack(Connection connection, Outcome ifRejected) {
    if (config.fallback() instanceof Fallback.ToBackend to) {
      connection.onFallback = true;
      setup.backend(to.index()).handOff(connection);
    } else {
      refuse(connection, ifRejected);
    }
  }

  /**
   * A backend could not take its connection in time: the fallback may, unless it is that backend.
   */
  public void onBackendUnavailable(Connection connection) {
    if (config.fallback() instanceof Fallback.ToBackend to && !connection.onFallback) {
      Backend fallback = setup.backend(to.index());
      if (fallback != connection.backend) {
        connection.onFallback = true;
        fallback.handOff(connection);
        return;
      }
    }
    refuse(connection, Outcome.REFUSED_UNAVAILABLE);
  }

  private void refuse(Connection connection, Outcome outcome) {
    loop.refuser().refuse(connection, outcome, reject, noRoute);
  }

  private void awaitMore(Connection connection) {
    if (isPending(connection)) {
      return;
    }
    loop.counters().count(Counter.INCOMPLETE_AT_FIRST_PEEK);
    Connection oldest = oldestOfSocket();
    if (oldest != null && pendingOfSocket() >= config.maxPending()) {
      loop.counters().count(Counter.MAX_PENDING_REACHED);
      shed(oldest);
    }
    if (!loop.watch(connection)) {
      loop.end(connection, Outcome.SHED);
      return;
    }
    // The kernel has kept a client that is silent now to itself for the time of TCP_DEFER_ACCEPT.
    boolean deferred = config.deferAccept() && connection.peekedBytes == 0;
    long waited = deferred ? Math.min(DEFERRED_NANOS, peekTimeoutNanos / 2) : 0;
    long deadline = connection.acceptedNanos + peekTimeoutNanos - waited;
    (deferred ? silent : begun).add(connection, deadline);
    loop.wakeBy(deadline);
  }

  private boolean isPending(Connection connection) {
    return connection.queue == begun || connection.queue == silent;
  }

  /** The incomplete connection whose time is up first, or null. */
  private @Nullable Connection oldestPending() {
    return begun.nextDeadlineNanos() < silent.nextDeadlineNanos() ? begun.first() : silent.first();
  }

  /** How many are incomplete that this listener accepted. */
  public int pending() {
    return begun.size() + silent.size();
  }

  /** How many are incomplete on this socket, those from before a reload too. */
  public int pendingOfSocket() {
    int sum = pending();
    for (Listener p = predecessor; p != null; p = p.predecessor) {
      sum += p.pending();
    }
    return sum;
  }

  private @Nullable Connection oldestOfSocket() {
    forgetIdlePredecessors();
    Connection oldest = oldestPending();
    for (Listener p = predecessor; p != null; p = p.predecessor) {
      oldest = p.pending() > 0 ? p.oldestPending() : oldest;
    }
    return oldest;
  }

  /** A listener without its socket gets no more connections: once idle it is idle for good. */
  private void forgetIdlePredecessors() {
    Listener keeper = this;
    for (Listener p = predecessor; p != null; p = p.predecessor) {
      if (p.isIdle()) {
        keeper.predecessor = p.predecessor;
      } else {
        keeper = p;
      }
    }
  }

  private void leavePending(Connection connection) {
    if (connection.queue != null) {
      connection.queue.remove(connection);
    }
    loop.unwatch(connection);
  }

  private void shed(Connection connection) {
    leavePending(connection);
    loop.end(connection, Outcome.SHED);
  }

  private void fail(Connection connection, RuntimeException e) {
    loop.log().error("listener {}: a connection failed on a fault in Peekpass", label, e);
    ConnectionQueue queue = connection.queue;
    if (queue != null) {
      queue.remove(connection);
    }
    loop.end(connection, Outcome.FAILED);
  }

  /** Takes an ended connection back for reuse. */
  public void recycle(Connection connection) {
    setup.leave();
    if (spare.size() < MAX_SPARE) {
      spare.push(connection);
    }
  }

  /** Does what is due; returns when something is due next, or {@link Long#MAX_VALUE}. */
  public long runTimers(long nowNanos) {
    expire(begun, nowNanos);
    expire(silent, nowNanos);
    if (acceptAgainAtNanos <= nowNanos) {
      acceptAgainAtNanos = Long.MAX_VALUE;
      watch();
    }
    long pending = Math.min(begun.nextDeadlineNanos(), silent.nextDeadlineNanos());
    return Math.min(pending, acceptAgainAtNanos);
  }

  private void expire(ConnectionQueue queue, long nowNanos) {
    for (@Nullable Connection late = queue.pollExpired(nowNanos);
        late != null;
        late = queue.pollExpired(nowNanos)) {
      loop.unwatch(late);
      onPeekTimeout(late);
    }
  }

  /**
   * A client of HTTP/2 may wait for our SETTINGS before it sends a request (RFC 9113 section 3.4):
   * its host cannot be peeked, so the fallback gets it. Others are late.
   */
  private void onPeekTimeout(Connection connection) {
    if (connection.protocol == Protocol.HTTP2 && config.fallback() instanceof Fallback.ToBackend) {
      fallBack(connection, Outcome.TIMED_OUT);
    } else {
      refuse(connection, Outcome.TIMED_OUT);
    }
  }

  /** Whether no connection waits to be routed. */
  public boolean isIdle() {
    return begun.isEmpty() && silent.isEmpty();
  }

  /**
   * Lets no new connection begin, and goes on accepting those that have: their handshake may not be
   * over, or the kernel may hold them back until their first bytes come.
   */
  public void beginClosing() {
    closing = true;
    int r = kernel.attachFilter(socket, loop.noNewConnections());
    if (r < 0) {
      loop.log().warn("listener {}: setsockopt SO_ATTACH_FILTER: {}", label, Errno.name(-r));
    }
  }

  public boolean isClosing() {
    return closing;
  }

  /** Takes what is queued, then accepts no more. What is pending goes on. */
  public void stopAccepting() {
    int fruitless = 0;
    while (fruitless < STOP_TRIES) {
      int left = queued();
      if (left == 0) {
        break;
      }
      long before = loop.counters().get(Counter.ACCEPTED);
      accept(left);
      // At the limit of descriptors an accept may only have made room for the next.
      fruitless = loop.counters().get(Counter.ACCEPTED) == before ? fruitless + 1 : 0;
    }
    abandonSocket();
  }

  /** How many connections wait to be accepted. */
  public int queued() {
    return kernel.acceptQueue(socket, queueInfo) < 0 ? 0 : queueInfo.unacked();
  }

  /** Accepts no more and closes its descriptor; the socket lives on if others have it. */
  public void abandonSocket() {
    acceptAgainAtNanos = Long.MAX_VALUE;
    unwatch();
    kernel.close(socket);
    setup.leave();
  }

  /** Ends what is pending. */
  public void close() {
    for (Connection c = oldestPending(); c != null; c = oldestPending()) {
      leavePending(c);
      loop.end(c, Outcome.STOPPED);
    }
  }
}
