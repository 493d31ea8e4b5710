package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.backend.Backend;
import dev.peekpass.proxy.backend.Backends;
import dev.peekpass.proxy.config.Fallback;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.OnMismatch;
import dev.peekpass.proxy.config.PeekMode;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Origin;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.refusal.Answer;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Cleanup;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * The connections of a listener from accept until they are routed or refused.
 *
 * <pre>{@code
 * begin ──> peek ──complete──> route ──> hand-off (Backend) or refusal (Refuser)
 *            │ ^
 * incomplete │ │ more bytes came           deadline, end of stream, too many waiting
 *            v │                           ┌──────────────────────────────────────> refusal
 *          pending ────────────────────────┘
 * }</pre>
 *
 * A connection whose head is there at the first peek never joins epoll. Others join it
 * edge-triggered.
 *
 * <p>Longer than others, since each verdict of the parser is one method here.
 */
final class Peeking implements Origin, Stage {
  private static final String IN_PIECES =
      "in too many pieces: hundreds of segments of a few bytes that the kernel could not join";

  /** Covers every ordinary head; only larger ones are worth a second call into a larger buffer. */
  private static final int FIRST_PEEK_BYTES = 4096;

  private static final String MISMATCH =
      "target and Host name two hosts (on-mismatch: refuse; RFC 9112 section 3.2.2)";

  /** Where the name in Host may be said: without what a log line could be forged with. */
  private static final String MISMATCH_WITH = MISMATCH + ": Host is ";

  /** How to turn away what is broken or late where the fallback is a backend. */
  private static final Fallback.Reject ANSWER_ALL =
      new Fallback.Reject(Fallback.Kind.HTTP_STATUS, Fallback.DEFAULT_HTTP_STATUS);

  private final Turn turn;
  private final Kernel kernel;
  private final Ending ending;
  private final Refuser refuser;
  private final Backends backends;
  private final AccessLog accessLog;
  private final Lease lease;
  private final ListenerConfig config;
  private final String label;
  private final byte[] labelBytes;
  private final NativeBuffer buffer;
  private final int maxPeekBytes;
  private final ParserScratch scratch;

  /** Where a connection stands that is being looked at for the first time. */
  private final ConnectionQueue accepted = new ConnectionQueue(this);

  private final Pieces pieces;
  private final Pending pending;
  private final Shedding shedding;
  private final LaterLooks laterLooks;
  private final Consumer<Connection> onTimeout = this::timedOut;
  private final ArrayDeque<Connection> spare = new ArrayDeque<>();
  private final Fallback.Reject reject;
  private final Answer noRoute;

  /** Makes one without a connection. */
  Peeking(Surroundings around, ListenerConfig config, String label, ParserScratch scratch) {
    turn = around.turn();
    kernel = turn.kernel();
    ending = around.ending();
    refuser = around.refuser();
    backends = around.backends();
    accessLog = around.accessLog();
    lease = around.lease();
    buffer = around.buffer();
    this.config = config;
    this.label = label;
    this.scratch = scratch;
    labelBytes = label.getBytes(StandardCharsets.US_ASCII);
    maxPeekBytes = config.maxPeekBytes();
    Clients clients = around.clients();
    pieces = new Pieces(kernel);
    pending = new Pending(turn, ending, clients, config, label, this);
    laterLooks = new LaterLooks(turn, this::lookAgain);
    shedding = new Shedding(turn, ending, clients, pending, config.maxPending(), label);
    reject = config.fallback() instanceof Fallback.Reject r ? r : ANSWER_ALL;
    noRoute = Answer.http1(reject.httpStatus(), "No site of this name is served here.");
  }

  @Override
  public String label() {
    return label;
  }

  @Override
  public byte[] labelBytes() {
    return labelBytes;
  }

  @Override
  public int routeLine(int route) {
    return config.routes().line(route);
  }

  @Override
  public AccessLog accessLog() {
    return accessLog;
  }

  /** Begins with a socket that nobody had. */
  void open() {
    pending.open();
  }

  /** Its socket is closed. */
  void close() {
    pending.close();
  }

  /** The incomplete connections of its socket, by their clients. */
  ClientCounts counts() {
    return pending.counts();
  }

  /** Goes on with the socket of another, whose connections stay its own. */
  void follow(Peeking before) {
    pending.follow(before.pending);
  }

  /** Makes sure that {@link #begin} needs no memory: before accept4 gives a descriptor. */
  void prepare() {
    if (spare.isEmpty()) {
      spare.push(new Connection(this, new FirstFlightParser(scratch)));
    }
  }

  /**
   * Takes charge of an accepted connection and looks at it. It has its next container, or has
   * ended, when this returns or throws.
   *
   * @param fd owned by the connection from here on
   * @param filtered whether it has inherited the filter of its closing listener
   */
  void begin(Fd fd, SockAddr peer, boolean filtered) {
    Connection connection = spare.pop();
    connection.begin(fd, peer, turn.nowNanos());
    accepted.add(connection);
    lease.enter();
    look(connection, filtered);
  }

  private void look(Connection connection, boolean filtered) {
    try {
      if (filtered) {
        kernel.setsockopt(connection.fd, Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0);
      }
      if (config.peek() == PeekMode.NONE) {
        fallBack(connection, Outcome.REFUSED_FOREIGN);
      } else {
        peek(connection, false);
      }
    } catch (RuntimeException e) {
      fail(connection, e);
    }
  }

  /** A connection that is pending has more bytes, its end, or an error. */
  @Override
  public void onEvents(Connection connection, int events) {
    if ((events & Linux.EPOLLERR) != 0) {
      // A reset leaves what came before it to be peeked at, but there is nobody to pass.
      ending.end(connection, Outcome.RESET);
      return;
    }
    boolean ended = (events & (Linux.EPOLLRDHUP | Linux.EPOLLHUP)) != 0;
    if (ended || !laterLooks.putsOff(connection)) {
      peek(connection, ended);
    }
  }

  private void lookAgain(Connection connection) {
    if (!pending.has(connection)) {
      return;
    }
    try {
      peek(connection, false);
    } catch (RuntimeException e) {
      fail(connection, e);
    }
  }

  @Override
  public void onFault(Connection connection) {
    ending.fail(connection);
  }

  /** A fault while it was looked at: ends it, unless it is somebody else's by now. */
  private void fail(Connection connection, RuntimeException e) {
    turn.fault("listener " + label + ": a connection could not be handled", e);
    if (isHere(connection)) {
      turn.contain(() -> ending.fail(connection));
    }
  }

  private boolean isHere(Connection connection) {
    return connection.isIn(accepted) || pending.has(connection);
  }

  /**
   * Looks at a connection's first bytes, leaving them where they are.
   *
   * @param ended whether the client is known to have ended its side, so that no more will come
   */
  private void peek(Connection connection, boolean ended) {
    connection.looks++;
    int seen = connection.peekedBytes;
    // The first look is a short one, and asks nobody.
    if (seen > 0 && pieces.areTooMany(connection.fd)) {
      refuseInPieces(connection);
      return;
    }
    int want = seen < FIRST_PEEK_BYTES ? Math.min(FIRST_PEEK_BYTES, maxPeekBytes) : maxPeekBytes;
    int n = recvPeek(connection.fd, want);
    if (n == want && n < maxPeekBytes) {
      if (pieces.areTooMany(connection.fd)) {
        refuseInPieces(connection);
        return;
      }
      n = recvPeek(connection.fd, maxPeekBytes);
    }
    if (n == -Errno.EAGAIN) {
      awaitMore(connection);
      return;
    }
    if (n <= 0) {
      ending.end(connection, n == 0 ? Outcome.TRUNCATED : Outcome.RESET);
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
        connection.remember(absent.value(), accessLog.isEnabled());
        fallBack(connection, Outcome.REFUSED_NO_HOST);
      }
      case Parsed.Foreign<Peeked> foreign -> fallBack(connection, Outcome.REFUSED_FOREIGN);
      case Parsed.Invalid<Peeked> invalid -> {
        connection.remember(scratch.soFar(), accessLog.isEnabled());
        refuseMalformed(connection, invalid.reason());
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
    connection.remember(peeked, accessLog.isEnabled());
    if (!peeked.hostField().isEmpty() && config.onMismatch() == OnMismatch.REFUSE) {
      HostName other = peeked.hostField();
      boolean shown = accessLog.isEnabled() && other.isRoutable();
      refuseMalformed(connection, shown ? MISMATCH_WITH + other : MISMATCH);
      return;
    }
    RouteTable routes = config.routes();
    int route = routes.find(peeked.host(), peeked.alpn(), connection.peerHigh, connection.peerLow);
    if (route == RouteTable.NONE) {
      fallBack(connection, Outcome.REFUSED_NO_ROUTE);
      return;
    }
    connection.route = route;
    handOff(connection, backends.at(routes.backendIndex(route)));
  }

  private void handOff(Connection connection, Backend backend) {
    // Before it is anybody else's: what is passed must not be watched here any more.
    ending.unwatch(connection);
    backend.handOff(connection);
  }

  /** Gives a connection that no route takes to the fallback. */
  private void fallBack(Connection connection, Outcome ifRejected) {
    if (config.fallback() instanceof Fallback.ToBackend to) {
      connection.onFallback = true;
      handOff(connection, backends.at(to.index()));
    } else {
      refuse(connection, ifRejected);
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>It goes to the backend's backup; where there is none, to the fallback, unless that is among
   * those that have had it.
   */
  @Override
  public void onNotTaken(Connection connection) {
    String name = connection.backend;
    Backend from = name == null ? null : backends.named(name);
    if (from != null && from.config().backup().isPresent()) {
      turn.count(Counter.BACKED_UP);
      backends.named(from.config().backup().get()).handOff(connection);
      return;
    }
    if (config.fallback() instanceof Fallback.ToBackend to && !connection.onFallback) {
      Backend fallback = backends.at(to.index());
      Backend routed = backends.at(config.routes().backendIndex(connection.route));
      if (!backends.leadsTo(routed, fallback)) {
        connection.onFallback = true;
        fallback.handOff(connection);
        return;
      }
    }
    refuse(connection, Outcome.REFUSED_UNAVAILABLE);
  }

  private void refuseMalformed(Connection connection, String reason) {
    connection.reason = reason;
    refuse(connection, Outcome.REFUSED_MALFORMED);
  }

  private void refuseInPieces(Connection connection) {
    // Without an answer: what it is refused for would go on while the answer is read.
    turn.count(Counter.IN_PIECES);
    connection.reason = IN_PIECES;
    ending.end(connection, Outcome.REFUSED_TOO_LARGE);
  }

  private void refuse(Connection connection, Outcome outcome) {
    refuser.refuse(connection, outcome, reject, noRoute);
  }

  private void awaitMore(Connection connection) {
    if (pending.has(connection)) {
      return;
    }
    turn.count(Counter.INCOMPLETE_AT_FIRST_PEEK);
    shedding.makeRoomFor(connection);
    if (ending.watch(connection)
        || (refuser.releaseOldest() && ending.watch(connection))
        || (shedding.shedOfHeaviest() && ending.watch(connection))) {
      pending.add(connection);
    } else {
      ending.end(connection, Outcome.SHED);
    }
  }

  /** How many are incomplete on this socket, those from before a reload too. */
  int pendingOfSocket() {
    return pending.sizeOfSocket();
  }

  /** See {@link Shedding#shedOldest}. */
  boolean shedOldest() {
    return shedding.shedOldest();
  }

  @Override
  public void recycle(Connection connection) {
    lease.leave();
    // As many as may be pending at a time: a wave of them leaves nothing to collect.
    if (spare.size() < config.maxPending()) {
      spare.push(connection);
    }
  }

  /** Does what is due; returns when something is due next, or {@link Long#MAX_VALUE}. */
  long runTimers(long nowNanos) {
    return Math.min(laterLooks.run(nowNanos), pending.expire(nowNanos, onTimeout));
  }

  private void timedOut(Connection late) {
    try {
      if (late.looksLater) {
        // What has come meanwhile may be all of it.
        late.looksLater = false;
        peek(late, false);
      }
      if (pending.has(late)) {
        onPeekTimeout(late);
      }
    } catch (RuntimeException e) {
      fail(late, e);
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
  boolean isIdle() {
    return pending.isEmpty() && accepted.isEmpty();
  }

  /** Ends what is pending, the proxy stopping. */
  void endPending() {
    Cleanup cleanup = new Cleanup(turn);
    cleanup.attempt(() -> ending.stopAll(accepted));
    cleanup.attempt(pending::stop);
    cleanup.end();
  }
}
