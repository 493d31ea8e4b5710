package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.config.ClientPrefix;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.route.IpAddress;
import dev.peekpass.proxy.status.ListenerStatus;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The incomplete connections of one listening socket by their clients: how many each has, which has
 * most, and which connection of it is the oldest. It stays with the socket through reloads.
 */
@SuppressWarnings("EnumOrdinal") // an index within one process
final class ClientCounts {
  /** How often a line for the same reason is logged at most. */
  private static final long LINE_NANOS = 60_000_000_000L;

  private final Clients clients;
  private final String label;
  private final ClientTable table;

  /** Stands for this socket, and what its clients are now, in the table. */
  private int scope;

  private ClientLimits limits;

  private final ClientOrder order;

  private boolean open;

  /** Where its connections stand. */
  private @Nullable Pending pending;

  /** What was turned away on this socket. */
  private final long[] turnedAway = new long[Refusal.values().length];

  /** How many of them the last line said, until its minute is over; 0 from then on. */
  private final long[] said = new long[turnedAway.length];

  private final long[] lastHigh = new long[turnedAway.length];
  private final long[] lastLow = new long[turnedAway.length];

  /** When the next line may be logged of that, and of those that are given up. */
  private final long[] lineAtNanos = new long[turnedAway.length + 1];

  /** Makes one that counts nothing yet, on any thread. */
  ClientCounts(Clients clients, ClientLimits limits, String label) {
    this.label = label;
    this.clients = clients;
    this.limits = limits;
    table = clients.table();
    order = new ClientOrder(table, false);
  }

  /** Begins to count. */
  void open() {
    open = true;
    scope = clients.newScope();
    clients.add(this);
  }

  /** Its connections stand there from now on. */
  void keptBy(Pending keeper) {
    pending = keeper;
  }

  /** The oldest of its connections, whoever's, or null. */
  @Nullable Connection oldest() {
    Pending keeper = pending;
    return keeper == null ? null : keeper.oldestOfSocket();
  }

  /** Its socket is closed: once nothing is counted it is forgotten. */
  void close() {
    open = false;
    forgetKeeperIfOver();
  }

  /** What a socket had that is gone is not kept alive from here. */
  private void forgetKeeperIfOver() {
    if (!open && isOver()) {
      pending = null;
    }
  }

  /** Whether nothing is counted, nor will be. */
  boolean isOver() {
    // Who is not in the table is counted nowhere.
    return !open && clientsHere() == 0 && oldest() == null;
  }

  int scope() {
    return scope;
  }

  ClientPrefix prefix() {
    return limits.prefix();
  }

  /**
   * Goes by other limits from now on. What came of late is forgotten if the rate is another; so is
   * who was whose client, if the prefix is.
   *
   * @return whether everything must be counted anew
   */
  boolean change(ClientLimits to) {
    ClientLimits before = limits;
    limits = to;
    if (before.prefix().equals(to.prefix()) && before.maxNew().equals(to.maxNew())) {
      return false;
    }
    scope = clients.newScope();
    return true;
  }

  /** Counts a connection that is incomplete, until {@link #remove}. */
  void add(Connection connection) {
    addHere(connection);
    clients.addInAll(connection);
  }

  /** Counts a connection anew by the limits of now; over all listeners it keeps its place. */
  void countAnew(Connection connection) {
    removeHere(connection);
    addHere(connection);
  }

  private void addHere(Connection connection) {
    long high = prefix().high(connection.peerHigh, connection.peerLow);
    long low = prefix().low(connection.peerHigh, connection.peerLow);
    int entry = table.findOrAdd(scope, high, low);
    connection.clientEntry = entry;
    if (entry != ClientTable.NONE) {
      order.add(entry, connection);
    }
  }

  /** Counts a connection no more. */
  void remove(Connection connection) {
    removeHere(connection);
    clients.removeInAll(connection);
    forgetKeeperIfOver();
  }

  private void removeHere(Connection connection) {
    int entry = connection.clientEntry;
    if (entry != ClientTable.NONE) {
      connection.clientEntry = ClientTable.NONE;
      order.remove(entry, connection);
    }
  }

  /** How many clients have incomplete connections. */
  int clientsHere() {
    return order.size();
  }

  /** How many the client has that has most. */
  int most() {
    return order.most();
  }

  /** How many incomplete connections a client has. */
  int of(long peerHigh, long peerLow) {
    int entry = find(peerHigh, peerLow);
    return entry == ClientTable.NONE ? 0 : table.count(entry);
  }

  private int find(long peerHigh, long peerLow) {
    return table.find(scope, prefix().high(peerHigh, peerLow), prefix().low(peerHigh, peerLow));
  }

  /** A client comes now, if it may, by a bucket of {@code period / interval} tokens. */
  boolean comes(long peerHigh, long peerLow, long intervalNanos, long periodNanos) {
    long high = prefix().high(peerHigh, peerLow);
    long low = prefix().low(peerHigh, peerLow);
    return table.comes(table.findOrAdd(scope, high, low), intervalNanos, periodNanos);
  }

  /** A client that came a moment ago was not let in. */
  void didNotCome(long peerHigh, long peerLow, long intervalNanos) {
    table.didNotCome(find(peerHigh, peerLow), intervalNanos);
  }

  /**
   * The oldest of the client that has most; of the one that has come, if none has more. Null when
   * nobody has two, and the one that has come has none, so that all are alike.
   */
  @Nullable Connection oldestOfHeaviest(long peerHigh, long peerLow) {
    int entry = find(peerHigh, peerLow);
    if (entry != ClientTable.NONE && table.count(entry) > 0 && table.count(entry) == most()) {
      return table.oldest(entry);
    }
    return oldestOfHeaviest();
  }

  /** The oldest of the client that has most, or null when nobody has two. */
  @Nullable Connection oldestOfHeaviest() {
    return most() < 2 ? null : table.oldest(order.get(0));
  }

  /** Gives each connection that is counted, client by client. */
  void forEach(Consumer<Connection> action) {
    for (int i = 0; i < clientsHere(); i++) {
      Connection each = table.oldest(order.get(i));
      while (each != null) {
        Connection next = each.newerOfClient;
        action.accept(each);
        each = next;
      }
    }
  }

  /** Gives the number of each client. */
  void report(Clients.Visitor visitor) {
    for (int i = 0; i < clientsHere(); i++) {
      visitor.visit(
          label, table.high(order.get(i)), table.low(order.get(i)), table.count(order.get(i)));
    }
  }

  /** How many were turned away here. */
  ListenerStatus.TurnedAway turnedAway() {
    return new ListenerStatus.TurnedAway(
        turnedAwayFor(Refusal.DENIED),
        turnedAwayFor(Refusal.PENDING) + turnedAwayFor(Refusal.PENDING_IN_ALL),
        turnedAwayFor(Refusal.NEW) + turnedAwayFor(Refusal.NEW_IN_ALL));
  }

  /** One more was turned away here. */
  void turnedAway(Refusal refusal, long peerHigh, long peerLow) {
    int reason = refusal.ordinal();
    turnedAway[reason]++;
    lastHigh[reason] = peerHigh;
    lastLow[reason] = peerLow;
  }

  /** The client that was turned away last for a reason. */
  IpAddress lastTurnedAway(Refusal refusal) {
    return new IpAddress(lastHigh[refusal.ordinal()], lastLow[refusal.ordinal()]);
  }

  /** A line for a reason was logged, with the number of now. */
  void said(Refusal refusal) {
    said[refusal.ordinal()] = turnedAway[refusal.ordinal()];
  }

  /** When the minute behind a line ends that a further one may follow; far away if none is. */
  long minuteEndsNanos() {
    long ends = Long.MAX_VALUE;
    for (int i = 0; i < said.length; i++) {
      ends = said[i] == 0 ? ends : Math.min(ends, lineAtNanos[i]);
    }
    return ends;
  }

  /** Whether the minute behind a line is over, and more came in it; it is over once. */
  boolean endsMinute(Refusal refusal, long nowNanos) {
    int reason = refusal.ordinal();
    if (said[reason] == 0 || nowNanos < lineAtNanos[reason]) {
      return false;
    }
    boolean more = turnedAway[reason] > said[reason];
    said[reason] = 0;
    return more;
  }

  /**
   * Whether a line may be logged for a reason; if so, it is taken: the next may come in a minute.
   */
  boolean takeLine(Refusal refusal, long nowNanos) {
    return takeLine(refusal.ordinal(), nowNanos);
  }

  /** The same for those that are given up. */
  boolean takeLine(long nowNanos) {
    return takeLine(turnedAway.length, nowNanos);
  }

  private boolean takeLine(int reason, long nowNanos) {
    if (nowNanos < lineAtNanos[reason]) {
      return false;
    }
    lineAtNanos[reason] = nowNanos + LINE_NANOS;
    return true;
  }

  /** How many were turned away here for a reason. */
  long turnedAwayFor(Refusal refusal) {
    return turnedAway[refusal.ordinal()];
  }
}
