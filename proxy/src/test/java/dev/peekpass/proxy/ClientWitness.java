package dev.peekpass.proxy;

import dev.peekpass.proxy.config.AccessList;
import dev.peekpass.proxy.config.ClientLimits;
import dev.peekpass.proxy.config.ClientPrefix;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.listen.Clients;
import dev.peekpass.proxy.route.Cidr;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Call;
import dev.peekpass.simulation.TcpConnection;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.Violation;
import dev.peekpass.simulation.World;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Holds the loop to what it promises its clients: who is let in, how much of one client is, and who
 * is given up for another. It knows every connection from the world alone, and counts them one by
 * one, each time anew.
 */
final class ClientWitness {
  private static final long SLACK_NANOS = 1_000_000;

  /** Those that came within one turn have the same age for the loop. */
  private static final long TURN_NANOS = 50_000_000;

  /** So much younger than it is may one seem that the kernel has kept to itself. */
  private static final long MAX_DEFERRED_NANOS = 1_000_000_000;

  /** A client: the first bits of an address. */
  private record Client(long high, long low) {
    static Client of(TcpConnection connection, ClientPrefix prefix) {
      long high = connection.client().addressHigh();
      long low = connection.client().addressLow();
      return new Client(prefix.high(high, low), prefix.low(high, low));
    }
  }

  /** What the loop has counted, or must have. */
  private record Counted(String listener, Client client) {}

  /** A connection that is not closed. */
  private static final class Seen {
    final TcpConnection connection;
    final TcpListener socket;
    final AccessList access;
    final long acceptedNanos;
    @Nullable Outcome outcome;

    Seen(TcpConnection connection, TcpListener socket, AccessList access, long acceptedNanos) {
      this.acceptedNanos = acceptedNanos;
      this.access = access;
      this.connection = connection;
      this.socket = socket;
    }

    boolean isPending() {
      return outcome == null && connection.isBeingWatched();
    }
  }

  /**
   * When one came, by the loop's time: between when events were fetched and when it was accepted.
   */
  private record Coming(long fromNanos, long toNanos) {}

  /** Limits, how many of one client may be pending since when they were larger, and who came. */
  private static final class Scope {
    ClientLimits limits = ClientLimits.NONE;
    AccessList access = AccessList.OPEN;
    String label = "";
    int most;
    Map<Client, List<Coming>> came = new HashMap<>();

    void change(ClientLimits to) {
      if (!limits.prefix().equals(to.prefix()) || !limits.maxNew().equals(to.maxNew())) {
        came = new HashMap<>();
      }
      // What is pending stays, whatever the new limit, and whoever is one client now.
      boolean same = most == 0 || limits.prefix().equals(to.prefix());
      most = same ? Math.max(most, to.maxPending().orElse(Integer.MAX_VALUE)) : Integer.MAX_VALUE;
      limits = to;
    }

    List<Coming> came(TcpConnection connection) {
      return came.computeIfAbsent(
          Client.of(connection, limits.prefix()), client -> new ArrayList<>());
    }
  }

  private final World world;
  private final IdentityHashMap<TcpListener, Scope> scopes = new IdentityHashMap<>();
  private final Scope inAll = new Scope();
  private final IdentityHashMap<TcpConnection, Seen> seen = new IdentityHashMap<>();
  private final List<Seen> open = new ArrayList<>();
  private @Nullable Clients clients;
  private long fetchedNanos;

  ClientWitness(World world) {
    this.world = world;
  }

  /** What the loop counts itself, to be compared. */
  void compareWith(Clients counted) {
    clients = counted;
  }

  /** See {@link Witness#onConfiguration}. */
  void onConfiguration(Configuration configuration, Map<TcpListener, ListenerConfig> sockets) {
    inAll.change(configuration.perClient());
    sockets.forEach((socket, config) -> {
      Scope scope = scopes.computeIfAbsent(socket, anew -> new Scope());
      scope.change(config.perClient());
      scope.access = config.access();
      scope.label = config.bind().getFirst().toString();
    });
  }

  private Scope scope(Seen one) {
    return Objects.requireNonNull(scopes.get(one.socket));
  }

  void onFetched() {
    fetchedNanos = world.nowNanos();
  }

  void onAccepted(TcpListener socket, TcpConnection connection) {
    Scope scope = Objects.requireNonNull(scopes.get(socket));
    Seen one = new Seen(connection, socket, scope.access, fetchedNanos);
    seen.put(connection, one);
    open.add(one);
    Coming coming = new Coming(fetchedNanos, world.nowNanos());
    scope.came(connection).add(coming);
    inAll.came(connection).add(coming);
  }

  void onClosing(TcpConnection connection) {
    open.remove(seen.remove(connection));
  }

  /**
   * A connection has its outcome.
   *
   * @param shortage the last call of this turn that met a limit of descriptors or memory
   * @param full whether its listener has as many that are pending as may be
   */
  void judge(TcpConnection connection, Outcome outcome, @Nullable Call shortage, boolean full) {
    Seen one = Objects.requireNonNull(seen.get(connection));
    boolean wasPending = one.isPending();
    one.outcome = outcome;
    boolean keptOut = isKeptOut(one);
    switch (outcome) {
      case DENIED -> {
        didNotCome(one);
        require(keptOut, one, "is denied, and may come in");
      }
      case LIMITED -> {
        didNotCome(one);
        require(!keptOut, one, "is limited, and must not come in at all");
        require(isOverALimit(one), one, "is limited, and its client is below the limits");
      }
      case FAILED, STOPPED -> {
        // Whatever it was about to be.
      }
      default -> require(!keptOut, one, "was let in, and must not come in");
    }
    if (outcome == Outcome.SHED && wasPending) {
      judgeShed(one, shortage != null, full);
      if (shortage == Call.ACCEPT && !full) {
        requireNobodyLingers(one);
      }
    }
  }

  private static void require(boolean holds, Seen one, String otherwise) {
    if (!holds) {
      throw new Violation("the " + one.connection + " " + otherwise);
    }
  }

  /** It came, and was not let in. */
  private void didNotCome(Seen one) {
    scope(one).came(one.connection).removeLast();
    inAll.came(one.connection).removeLast();
  }

  /** By what held when it came. */
  private static boolean isKeptOut(Seen one) {
    long high = one.connection.client().addressHigh();
    long low = one.connection.client().addressLow();
    Predicate<Cidr> holds = block -> block.contains(high, low);
    List<Cidr> allow = one.access.allow().blocks();
    return one.access.deny().blocks().stream().anyMatch(holds)
        || (!allow.isEmpty() && allow.stream().noneMatch(holds));
  }

  private boolean isOverALimit(Seen one) {
    Scope here = scope(one);
    return hasMostPending(one, here, other -> other.socket == one.socket)
        || hasMostPending(one, inAll, other -> true)
        || hasComeOften(one, here)
        || hasComeOften(one, inAll);
  }

  private boolean hasMostPending(Seen one, Scope scope, Predicate<Seen> where) {
    return scope.limits.maxPending().isPresent()
        && pendingOf(one, scope.limits.prefix(), where) >= scope.limits.maxPending().getAsInt();
  }

  private long pendingOf(Seen one, ClientPrefix prefix, Predicate<Seen> where) {
    Client client = Client.of(one.connection, prefix);
    return open.stream()
        .filter(Seen::isPending)
        .filter(where)
        .filter(other -> Client.of(other.connection, prefix).equals(client))
        .count();
  }

  private boolean hasComeOften(Seen one, Scope scope) {
    return scope.limits.maxNew().isPresent()
        && cameWithin(scope, one.connection) >= scope.limits.maxNew().get().number();
  }

  /** How many of its client may have come within the time of the rate. */
  private long cameWithin(Scope scope, TcpConnection connection) {
    long period = scope.limits.maxNew().orElseThrow().period().toNanos();
    return scope.came(connection).stream()
        .filter(at -> at.toNanos() > fetchedNanos - period - SLACK_NANOS)
        .count();
  }

  /** Where both reasons are there, nobody can tell which it was: it is for its socket's, or not. */
  private void judgeShed(Seen one, boolean isShort, boolean full) {
    ClientPrefix prefix = scope(one).limits.prefix();
    Predicate<Seen> here = other -> other.socket == one.socket;
    boolean forItsSocket =
        full && heavier(one, prefix, here).isEmpty() && !hasOlder(one, prefix, here);
    judgeShed(one, isShort && !forItsSocket);
  }

  /** Nobody else had more: on its socket; over all, where it was given up for descriptors. */
  private void judgeShed(Seen one, boolean overAll) {
    if (!overAll) {
      requireHeaviest(one, scope(one).limits.prefix(), other -> other.socket == one.socket);
      return;
    }
    ClientPrefix prefix = inAll.limits.prefix();
    if (socketsWithPending(one) == 1 && heavier(one, prefix, other -> true).isPresent()) {
      // Where it is the only one, who is a client is said there.
      prefix = scope(one).limits.prefix();
    }
    requireHeaviest(one, prefix, other -> true);
    boolean alone = pendingOf(one, prefix, other -> true) == 0;
    for (Seen other : open) {
      boolean alike = alone && other.isPending() && other.socket != one.socket;
      boolean older = other.acceptedNanos < one.acceptedNanos - MAX_DEFERRED_NANOS;
      require(!alike || !older, one, "is shed, and another listener has an older one");
    }
  }

  private void requireHeaviest(Seen one, ClientPrefix prefix, Predicate<Seen> where) {
    heavier(one, prefix, where)
        .ifPresent(other -> {
          throw new Violation(
              "the %s is shed as one of %d, and the client of the %s has %d"
                  .formatted(
                      one.connection,
                      1 + pendingOf(one, prefix, where),
                      other.connection,
                      pendingOf(other, prefix, where)));
        });
    require(!hasOlder(one, prefix, where), one, "is shed, and its client has an older");
  }

  /** Whether another of its client has waited for longer. */
  private boolean hasOlder(Seen one, ClientPrefix prefix, Predicate<Seen> where) {
    Client client = Client.of(one.connection, prefix);
    return open.stream()
        .filter(Seen::isPending)
        .filter(where)
        .filter(other -> other.acceptedNanos < one.acceptedNanos - TURN_NANOS)
        .anyMatch(other -> Client.of(other.connection, prefix).equals(client));
  }

  /** One whose client has more than the one that is shed had. */
  private Optional<Seen> heavier(Seen one, ClientPrefix prefix, Predicate<Seen> where) {
    long had = 1 + pendingOf(one, prefix, where);
    return open.stream()
        .filter(Seen::isPending)
        .filter(where)
        .filter(other -> pendingOf(other, prefix, where) > had)
        .findFirst();
  }

  /** How many sockets have pending connections, or had before one was shed. */
  private long socketsWithPending(@Nullable Seen shed) {
    return open.stream()
        .filter(other -> other == shed || other.isPending())
        .map(other -> other.socket)
        .distinct()
        .count();
  }

  /** Whoever is refused has had its answer, and goes before anybody who is incomplete. */
  private void requireNobodyLingers(Seen one) {
    for (Seen other : open) {
      boolean lingers = other.outcome != null && other.connection.isBeingWatched();
      require(!lingers || other == one, one, "is shed, and a refused client lingers");
    }
  }

  /** At the end of a turn: limits hold, and the loop counts what is there. */
  void onWait() {
    Map<Counted, Integer> must = new HashMap<>();
    boolean counts = inAll.limits.maxPending().isPresent() || socketsWithPending(null) > 1;
    if (clients != null && clients.countsInAll() != counts) {
      if (counts) {
        throw new Violation("clients are not counted over all listeners");
      }
      // A socket that has none pending is one of several, too.
      counts = true;
    }
    for (Seen one : open) {
      if (one.isPending()) {
        Scope scope = scope(one);
        Client client = Client.of(one.connection, scope.limits.prefix());
        must.merge(new Counted(scope.label, client), 1, Integer::sum);
        long here = pendingOf(one, scope.limits.prefix(), other -> other.socket == one.socket);
        require(here <= scope.most, one, "is one of " + here + " pending of its client");
        if (counts) {
          Client inAllClient = Client.of(one.connection, inAll.limits.prefix());
          must.merge(new Counted("", inAllClient), 1, Integer::sum);
          long all = pendingOf(one, inAll.limits.prefix(), other -> true);
          require(all <= inAll.most, one, "is one of " + all + " pending of its client in all");
        }
      }
    }
    requireRates();
    Clients counted = clients;
    if (counted != null) {
      Map<Counted, Integer> are = new HashMap<>();
      counted.report((listener, high, low, pending) ->
          are.merge(new Counted(listener, new Client(high, low)), pending, Integer::sum));
      if (!are.equals(must)) {
        throw new Violation("the loop counts " + are + " by client, and pending are " + must);
      }
    }
  }

  private void requireRates() {
    for (Scope scope : scopes.values()) {
      requireRate(scope);
    }
    requireRate(inAll);
  }

  /** From a bucket that is full, and is filled meanwhile, twice as many come at most. */
  private void requireRate(Scope scope) {
    Optional<Integer> number = scope.limits.maxNew().map(rate -> rate.number());
    if (number.isEmpty()) {
      return;
    }
    long period = scope.limits.maxNew().get().period().toNanos();
    scope.came.forEach((client, times) -> {
      long since = world.nowNanos() - period + SLACK_NANOS;
      long within = times.stream().filter(at -> at.fromNanos() > since).count();
      if (within > 2L * number.get()) {
        throw new Violation(within + " were let in of a client, at " + scope.limits.maxNew());
      }
    });
  }
}
