package dev.peekpass.proxy.listen;

import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The clients of one loop, with what they may do over all its listeners. It stays through reloads;
 * loops share nothing, so each limit holds in each of them.
 */
public final class Clients {
  private final ClientTable table;

  /** The clients over all listeners, where that matters: see {@link #countsInAll}. */
  private final ClientOrder order;

  private final List<ClientCounts> sockets = new ArrayList<>();
  private ClientLimits inAll = ClientLimits.NONE;
  private int scopes;
  private int scopeInAll;
  private boolean countsInAll;

  /** Makes one that knows nobody. */
  public Clients(Turn turn) {
    this(turn, ClientTable.CAPACITY);
  }

  Clients(Turn turn, int capacity) {
    table = new ClientTable(turn, capacity);
    order = new ClientOrder(table, true);
  }

  /** Is shown what is counted. */
  public interface Visitor {
    /**
     * One client.
     *
     * @param listener the label of the listener, or nothing: over all of them
     * @param high the upper 64 bits of its prefix
     * @param low the lower 64 bits
     * @param pending how many of its connections are incomplete
     */
    void visit(String listener, long high, long low, int pending);
  }

  ClientTable table() {
    return table;
  }

  /** How many clients are kept track of, each once for a listener and once over all. */
  public int tracked() {
    table.sweepAll();
    return table.size();
  }

  int newScope() {
    scopes++;
    return scopes;
  }

  ClientLimits inAll() {
    return inAll;
  }

  void add(ClientCounts socket) {
    sockets.removeIf(ClientCounts::isOver);
    sockets.add(socket);
    countInAll(false);
  }

  /**
   * Whether clients are counted over all listeners, too: where that is limited, and where there are
   * several sockets, so that what a client has on one of them is not all that it has.
   */
  public boolean countsInAll() {
    return countsInAll;
  }

  /**
   * Begins to count over all listeners, or ends it, as it must be now.
   *
   * @param anew whether who is whose client has changed
   */
  private void countInAll(boolean anew) {
    boolean wanted = sockets.size() > 1 || inAll.maxPending().isPresent();
    if (wanted == countsInAll && !(wanted && anew)) {
      return;
    }
    countsInAll = wanted;
    List<Connection> all = new ArrayList<>();
    sockets.forEach(socket -> socket.forEach(all::add));
    // Of each client the oldest must be first, whatever listener it came by.
    all.sort((one, other) -> Long.signum(one.acceptedNanos - other.acceptedNanos));
    all.forEach(this::removeInAll);
    all.forEach(this::addInAll);
  }

  /** What a client may do over all listeners from now on. Costs nothing where that is as before. */
  void limitInAll(ClientLimits to) {
    ClientLimits before = inAll;
    if (before.equals(to)) {
      return;
    }
    inAll = to;
    boolean same = before.prefix().equals(to.prefix()) && before.maxNew().equals(to.maxNew());
    if (!same) {
      scopeInAll = newScope();
    }
    countInAll(!same);
  }

  void addInAll(Connection connection) {
    if (!countsInAll) {
      return;
    }
    int entry = findOrAddInAll(connection.peerHigh, connection.peerLow);
    connection.clientEntryInAll = entry;
    if (entry != ClientTable.NONE) {
      order.add(entry, connection);
    }
  }

  void removeInAll(Connection connection) {
    int entry = connection.clientEntryInAll;
    if (entry != ClientTable.NONE) {
      connection.clientEntryInAll = ClientTable.NONE;
      order.remove(entry, connection);
    }
  }

  /** A client comes now, if it may. */
  boolean comesInAll(long high, long low) {
    if (inAll.maxNew().isEmpty()) {
      return true;
    }
    long periodNanos = inAll.maxNew().get().period().toNanos();
    long intervalNanos = periodNanos / inAll.maxNew().get().number();
    return table.comes(findOrAddInAll(high, low), intervalNanos, periodNanos);
  }

  private int findOrAddInAll(long high, long low) {
    return table.findOrAdd(
        scopeInAll, inAll.prefix().high(high, low), inAll.prefix().low(high, low));
  }

  /** How many incomplete connections a client has over all listeners, where they are counted. */
  int pendingInAll(long high, long low) {
    int entry =
        table.find(scopeInAll, inAll.prefix().high(high, low), inAll.prefix().low(high, low));
    return entry == ClientTable.NONE ? 0 : table.count(entry);
  }

  /** The oldest of the client that has most over all listeners, or null when nobody has two. */
  @Nullable Connection oldestOfHeaviest() {
    if (sockets.size() > 1) {
      return order.most() < 2 ? null : table.oldest(order.get(0));
    }
    return sockets.isEmpty() ? null : sockets.getFirst().oldestOfHeaviest();
  }

  /** The oldest of all listeners, whoever's, or null. */
  @Nullable Connection oldest() {
    Connection oldest = null;
    for (int i = 0; i < sockets.size(); i++) {
      Connection one = sockets.get(i).oldest();
      if (one != null && (oldest == null || one.acceptedNanos - oldest.acceptedNanos < 0)) {
        oldest = one;
      }
    }
    return oldest;
  }

  /** Shows what is counted: on each listening socket, and over all where that is done. */
  public void report(Visitor visitor) {
    for (ClientCounts socket : sockets) {
      socket.report(visitor);
    }
    table.forEachCounted(scopeInAll, visitor);
  }
}
