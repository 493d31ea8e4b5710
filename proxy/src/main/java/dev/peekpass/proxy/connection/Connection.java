package dev.peekpass.proxy.connection;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.route.RouteTable;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Pollable;
import dev.peekpass.proxy.turn.Poller;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.HostName;
import dev.peekpass.wire.Peeked;
import dev.peekpass.wire.Protocol;
import org.jspecify.annotations.Nullable;

/**
 * An accepted connection on its way through the proxy. It owns its descriptor until {@link
 * Ending#release} closes it.
 *
 * <pre>{@code
 *             ┌───────── more bytes ─────────┐
 *             v                              │
 * accept ──> peeking ──incomplete──> pending ┘
 *             │ head complete          │ too late, too many
 *             v                        v
 *   no route ─┴──> refused ──────> lingering ──────────────────────────> ended
 *             │
 *             v                            its backend takes none
 *  ┌────> gathered, or waiting ──────────────────────────> given on: backup, fallback, refused
 *  │          │ sent                 │
 *  │          v                      └─ by a plain method ─────────────> ended: passed
 *  │       offered ──ACK───────────────────────────────────────────────> ended: passed
 *  │          │
 *  └──────────┴─ taken back, or its receiver is gone
 * }</pre>
 *
 * <p>Each of these is a {@link Container}, and it stands in exactly one of them at any time.
 *
 * <p>Reused: its {@link Origin} keeps ended ones for the next client, so that a connection costs no
 * allocation. The route and the host are remembered for hand-offs that must wait and for the access
 * log.
 */
public final class Connection implements Pollable {
  /** {@link #slot} of a connection that no {@link Poller} watches. */
  public static final int UNWATCHED = -1;

  /** The longest list of protocols that is kept: twice what browsers send. */
  private static final int ALPN_MAX_BYTES = 64;

  public final Origin origin;
  public final FirstFlightParser parser;

  /** The connection's descriptor, owned; of an ended one it means nothing. */
  public Fd fd = Fd.of(0);

  /** Where the {@link Poller} keeps it, or {@link #UNWATCHED}. */
  public int slot = UNWATCHED;

  public long peerHigh;
  public long peerLow;
  public int peerPort;
  public long acceptedNanos;

  /** When the queue it stands in gives up on it. */
  public long deadlineNanos;

  /** How many bytes the last peek saw. */
  public int peekedBytes;

  /** How many times its head was looked at. */
  public int looks;

  /** Whether the next look waits for its time: see package listen. */
  public boolean looksLater;

  /** How many bytes may still be dropped of what its client sends, it being refused. */
  public int mayDropBytes;

  public @Nullable Protocol protocol;

  /** What stands for its route in its listener's table, or {@link RouteTable#NONE}. */
  public int route = RouteTable.NONE;

  /** The name of the backend that it was last given to. */
  public @Nullable String backend;

  public boolean onFallback;

  /** The protocols offered by ALPN, joined by commas, when the access log is on; else null. */
  public @Nullable String alpn;

  /** Whether the hello had an encrypted one inside, real or GREASE. */
  public boolean encryptedClientHello;

  /** What the parser found wrong, for the log; a constant. */
  public @Nullable String reason;

  /**
   * Who has descriptors of the same socket, null while nobody has: of those that had the least to
   * be trusted one.
   */
  private @Nullable Holder holder;

  /** Whether it was offered to a receiver and taken back. */
  public boolean offeredBefore;

  /** When it was offered to a receiver that has not acknowledged it yet. */
  public long offeredNanos;

  /** Its number among those offered to that receiver. */
  public long offerNumber;

  /**
   * The protocols offered by ALPN as on the wire, for receivers; nothing when the list is longer.
   */
  public final byte[] alpnBytes = new byte[ALPN_MAX_BYTES];

  public int alpnLength;

  /** Its client in the table of those with incomplete connections, or -1: see package listen. */
  public int clientEntry = -1;

  /** The same over all listeners. */
  public int clientEntryInAll = -1;

  // Links to the other incomplete connections of its client.
  public @Nullable Connection olderOfClient;
  public @Nullable Connection newerOfClient;

  // The same over all listeners.
  public @Nullable Connection olderOfClientInAll;
  public @Nullable Connection newerOfClientInAll;

  private final byte[] host = new byte[HostName.MAX_BYTES];
  private int hostLength;

  // Links of the ConnectionQueue that it stands in, if it stands in one.
  @Nullable Connection next;
  @Nullable Connection previous;

  /** Where it stands; null before it begins and once it has ended. */
  private @Nullable Container container;

  private @Nullable Outcome outcome;

  /** Makes one that has not begun. */
  public Connection(Origin origin, FirstFlightParser parser) {
    this.origin = origin;
    this.parser = parser;
  }

  /**
   * Begins anew with a descriptor that it owns from here on. Whoever calls it puts it into a
   * container next.
   */
  public void begin(Fd accepted, SockAddr peer, long nowNanos) {
    if (container != null) {
      throw new IllegalStateException("a connection that has not ended cannot begin");
    }
    fd = accepted;
    outcome = null;
    slot = UNWATCHED;
    peerHigh = peer.high();
    peerLow = peer.low();
    peerPort = peer.port();
    acceptedNanos = nowNanos;
    peekedBytes = 0;
    looks = 0;
    looksLater = false;
    protocol = null;
    route = RouteTable.NONE;
    backend = null;
    onFallback = false;
    alpn = null;
    encryptedClientHello = false;
    reason = null;
    hostLength = 0;
    alpnLength = 0;
    offeredBefore = false;
    holder = null;
    parser.reset();
  }

  /**
   * Keeps what the log wants to know of a complete head.
   *
   * @param forLog whether there is a log, which costs a string for ALPN
   */
  public void remember(Peeked peeked, boolean forLog) {
    protocol = peeked.protocol();
    hostLength = peeked.host().copyTo(host, 0);
    encryptedClientHello = peeked.encryptedClientHello();
    alpnLength = peeked.alpn().copyTo(alpnBytes);
    if (forLog && !peeked.alpn().isEmpty()) {
      alpn = String.join(",", peeked.alpn().toList());
    }
  }

  /**
   * Copies the canonical host that was named.
   *
   * @param target at least {@link HostName#MAX_BYTES} long
   * @return how many bytes it has, 0 when none was named
   */
  public int copyHost(byte[] target) {
    System.arraycopy(host, 0, target, 0, hostLength);
    return hostLength;
  }

  /** A receiver may have a descriptor of its socket from now on. */
  public void sharedWith(Holder receiver) {
    Holder before = holder;
    if (before == null || before.isTrusted()) {
      holder = receiver;
    }
  }

  /** Who may have a descriptor of its socket, or null. */
  public @Nullable Holder holder() {
    return holder;
  }

  /** Whether it may be given to a receiver, whoever had a descriptor of it before. */
  public boolean mayGoTo(Holder receiver) {
    Holder before = holder;
    return before == null || receiver.mayHaveAfter(before);
  }

  /** Whether only some receivers may have it, since one has had it that is not trusted. */
  public boolean isBound() {
    Holder before = holder;
    return before != null && !before.isTrusted();
  }

  /** The line of its route in the configuration, or 0 when it has none. */
  public int routeLine() {
    return route == RouteTable.NONE ? 0 : origin.routeLine(route);
  }

  /** Whether it stands in a container. */
  @SuppressWarnings("ReferenceEquality") // which object it is, is the question
  public boolean isIn(Container one) {
    return container == one;
  }

  /** Whether it stands nowhere any more. */
  public boolean hasEnded() {
    return container == null;
  }

  /** How it ended for the proxy, or null when that is open. */
  public @Nullable Outcome outcome() {
    return outcome;
  }

  /** For containers: it stands here from now on, and not where it stood before. */
  public void moveTo(Container to) {
    Container from = container;
    if (from != null) {
      from.remove(this);
    }
    container = to;
  }

  /** For {@link Ending}: it stands nowhere from now on. */
  void leave() {
    Container from = container;
    if (from == null) {
      throw new IllegalStateException("a connection ends a second time");
    }
    from.remove(this);
    container = null;
  }

  /** For {@link Ending}: its outcome is known from now on. */
  void decide(Outcome how) {
    if (container == null || outcome != null) {
      throw new IllegalStateException("a connection that is " + outcome + " cannot become " + how);
    }
    outcome = how;
  }

  @Override
  public void onEvents(int events) {
    Container here = container;
    if (here != null) {
      here.stage().onEvents(this, events);
    }
  }

  @Override
  public void onFault() {
    Container here = container;
    if (here != null) {
      here.stage().onFault(this);
    }
  }
}
