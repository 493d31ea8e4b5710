package dev.peekpass.proxy;

import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.Fallback;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.Method;
import dev.peekpass.proxy.config.PeekMode;
import dev.peekpass.proxy.refusal.Refuser;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Call;
import dev.peekpass.simulation.Observer;
import dev.peekpass.simulation.Offer;
import dev.peekpass.simulation.TcpConnection;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.Violation;
import dev.peekpass.simulation.World;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Holds the loop to what it promises, from what it calls and counts alone.
 *
 * <p>An outcome is counted just before the next call that is made for its connection, so that a
 * count that has changed when a call comes belongs to the call's connection.
 */
final class Witness implements Observer {
  private static final long NANOS_A_MILLI = 1_000_000;

  /** How long a refused client may read the answer: {@link Refuser}. */
  private static final long LINGER_NANOS = 2_000_000_000L;

  /** How long a receiver has to receive the first message over a UNIX connection. */
  private static final long PROVING_NANOS = 1_000_000_000L;

  private static final long STOP_NANOS = 1_000_000_000L;
  private static final long MAX_DEFERRED_NANOS = 1_000_000_000L;

  /** How long a listener may rest, and a little more. */
  private static final int MAX_REST_MILLIS = 1010;

  /** How many turns may come to nothing, and one more for each millisecond. */
  private static final int MAX_IDLE_TURNS = 64;

  private static final Outcome[] OUTCOMES = Outcome.values();

  /** A configuration that the loop went by, and what has left its backends last. */
  private static final class Rules {
    final Configuration configuration;
    final boolean swapped;
    final Map<BackendConfig, Long> lastPassed = new HashMap<>();
    final Map<BackendConfig, Long> lastOffered = new HashMap<>();
    private final Map<BackendConfig, List<BackendConfig>> chains = new HashMap<>();

    Rules(Configuration configuration, boolean swapped) {
      this.configuration = configuration;
      this.swapped = swapped;
    }

    BackendConfig backend(int index) {
      return configuration.backends().get(index);
    }

    /** A backend, its backup, the backup of that, and so on. */
    List<BackendConfig> chain(BackendConfig first) {
      return chains.computeIfAbsent(
          first,
          from -> {
            List<BackendConfig> chain = new ArrayList<>();
            Optional<BackendConfig> next = Optional.of(from);
            while (next.isPresent()) {
              chain.add(next.get());
              next = next.get().backup().map(this::named);
            }
            return List.copyOf(chain);
          });
    }

    private BackendConfig named(String name) {
      return configuration.backends().stream()
          .filter(backend -> backend.name().equals(name))
          .findFirst()
          .orElseThrow();
    }
  }

  /** What a listening socket goes by. */
  private record Listening(ListenerConfig config, Rules rules, int mostPending) {}

  /** What is known of an accepted connection. */
  private static final class Story {
    final TcpConnection connection;
    final Flight flight;
    final TcpListener socket;
    final ListenerConfig listener;
    final Rules rules;
    final long acceptedNanos;
    long routedNanos;

    /** The backends that it may wait for, one after the other, once it waits. */
    @Nullable List<BackendConfig> way;

    /** Which of them it has come to at least, and when at the latest. */
    int stage;

    long stageNanos = World.NEVER;
    long peekedNth;
    boolean completeWhenFetched;
    boolean routedLate;

    /** When it was taken back from a receiver of its route, or can be at last. */
    long heldNanos;

    /** The last offer that is known to have come to nothing. */
    @Nullable Offer closedOffer;

    /** When it was sent by a plain method the last time. */
    long passedNanos;

    /** Whether its receiver had received it when events were fetched the last time. */
    boolean receivedWhenFetched;

    /** Whether its receiver had left it unread for good then. */
    boolean returnedWhenFetched;

    @Nullable Outcome outcome;
    long outcomeNanos;

    Story(TcpConnection connection, TcpListener socket, Listening listening, long nowNanos) {
      this.connection = connection;
      this.socket = socket;
      listener = listening.config();
      flight = ((Flight) connection.client().flight()).seenWith(listener.maxPeekBytes());
      rules = listening.rules();
      acceptedNanos = nowNanos;
      routedNanos = nowNanos;
    }

    boolean isComplete() {
      return listener.peek() == PeekMode.NONE || connection.delivered() >= flight.decidedAt;
    }

    @Override
    public String toString() {
      return "the " + connection + " (" + flight + ")";
    }
  }

  private final World world;
  private final Counters counters;
  private final ClientWitness byClient;
  private final boolean peeksSeeAll;
  private final IdentityHashMap<TcpListener, Listening> listeners = new IdentityHashMap<>();
  private final IdentityHashMap<TcpConnection, Story> stories = new IdentityHashMap<>();
  private final List<Story> open = new ArrayList<>();
  private final long[] counted = new long[OUTCOMES.length];
  private final List<Rules> allRules = new ArrayList<>();

  /** Since when backends are drained, by their names. */
  private final Map<String, Long> drained = new HashMap<>();

  /** Sockets that a probe has put out, in backends of the latest configuration. */
  private final Set<String> unhealthy = new HashSet<>();

  /** Connections at which a fault was thrown: only they may fail. */
  private final Set<TcpConnection> faulted = Collections.newSetFromMap(new IdentityHashMap<>());

  /** Whether any fault was thrown, by which a channel may have been given up. */
  private boolean thrown;

  /** Whether a fault came out of a look at clients in this turn, which nothing was seen by. */
  private boolean lookFailed;

  /** Whether an error was thrown, so that everything is to be freed. */
  private boolean dying;

  /** How many connections are known to have been given to a backup, at least. */
  private long backedUp;

  /** How often backends gave a connection on at once, and when they did last. */
  private long givenOnAtOnce;

  private long givenOnAtOnceNanos = Long.MIN_VALUE;

  /** How often they gave one on at all, and when they did last. */
  private long givenOn;

  private long givenOnNanos = Long.MIN_VALUE;

  private long inDoubtCounted;
  private long accepted;
  private long peeks;
  private long moved;

  /** The last call of this turn that failed for want of descriptors or memory. */
  private @Nullable Call shortage;

  private long stopNanos = World.NEVER;
  private long progressNanos;
  private long happened;
  private int idleTurns;

  Witness(World world, Counters counters, boolean peeksSeeAll) {
    this.world = world;
    this.counters = counters;
    this.peeksSeeAll = peeksSeeAll;
    byClient = new ClientWitness(world);
  }

  /** What it compares with what the loop counts by client. */
  ClientWitness byClient() {
    return byClient;
  }

  /**
   * The loop goes by a configuration from now on.
   *
   * @param swapped whether each of the two routes goes to the other's backend
   * @param sockets what it listens on, and as what. Others go on as before
   */
  void onConfiguration(
      Configuration configuration, boolean swapped, Map<TcpListener, ListenerConfig> sockets) {
    Rules rules = new Rules(configuration, swapped);
    if (!allRules.isEmpty()) {
      forgetHealth(allRules.getLast().configuration, configuration);
    }
    allRules.add(rules);
    byClient.onConfiguration(configuration, sockets);
    sockets.forEach((socket, config) -> {
      Listening before = listeners.get(socket);
      // What is pending stays, whatever the new limit.
      int most = Math.max(config.maxPending(), before == null ? 0 : before.mostPending());
      listeners.put(socket, new Listening(config, rules, most));
    });
  }

  /** Backends that are not as before begin healthy. */
  private void forgetHealth(Configuration before, Configuration now) {
    for (BackendConfig backend : before.backends()) {
      if (now.backends().stream().noneMatch(backend::isSameAs)) {
        backend.socketPaths().forEach(unhealthy::remove);
      }
    }
  }

  /** A probe has put a socket of the latest configuration out, or has found it well again. */
  void onHealth(String path, boolean healthy) {
    if (healthy) {
      unhealthy.remove(path);
    } else {
      unhealthy.add(path);
    }
  }

  /** A backend gets no new connections from now on, or gets them again. */
  void onDrained(String backend, boolean on) {
    if (on) {
      drained.putIfAbsent(backend, world.nowNanos());
    } else {
      drained.remove(backend);
    }
  }

  /** The proxy is asked to stop. */
  void onStop() {
    stopNanos = world.nowNanos();
  }

  @Override
  public void onCall(Call call, @Nullable TcpConnection connection) {
    attribute(connection);
    Story story = connection == null ? null : stories.get(connection);
    if (story != null && call == Call.RECV) {
      story.peekedNth = ++peeks;
    }
    if (story != null && call == Call.EPOLL_DEL) {
      story.routedNanos = world.nowNanos();
      story.routedLate = isLate(story) && mayBeUnseen(story);
    }
  }

  /** Whether the loop may not have seen that it is complete. */
  private boolean mayBeUnseen(Story story) {
    return !story.completeWhenFetched || !peeksSeeAll;
  }

  /** Finds out whether an outcome was counted since the last call, and whose it must be. */
  private void attribute(@Nullable TcpConnection connection) {
    for (int i = 0; i < OUTCOMES.length; i++) {
      Outcome outcome = OUTCOMES[i];
      long now = counters.get(outcome);
      if (now != counted[i]) {
        if (now != counted[i] + 1) {
          throw new Violation("two outcomes are counted at once: " + outcome);
        }
        counted[i] = now;
        Story story = connection == null ? null : stories.get(connection);
        if (story == null) {
          throw new Violation("an outcome is counted for no connection: " + outcome);
        }
        if (story.outcome != null) {
          throw new Violation(story + " has two outcomes: " + story.outcome + ", " + outcome);
        }
        story.outcome = outcome;
        story.outcomeNanos = world.nowNanos();
        world.note("  outcome " + outcome + " of " + story);
        judge(story, outcome);
      }
    }
  }

  private void judge(Story story, Outcome outcome) {
    TcpConnection connection = story.connection;
    boolean mayBreak = outcome == Outcome.FAILED || (dying && outcome == Outcome.STOPPED);
    if (mayBreak && faulted.contains(connection)) {
      return; // Whatever has become of the message that it was in.
    }
    byClient.judge(connection, outcome, shortage, isFull(story.socket));
    boolean passed = outcome == Outcome.PASSED || outcome == Outcome.PASSED_TO_FALLBACK;
    Offer offer = connection.offer();
    if (offer != null && connection.passedTo() == null) {
      judgeOffered(story, outcome, offer, passed);
    } else if (passed
        ? connection.passedTo() == null
        : connection.passedTo() != null && !connection.isReturned()) {
      throw new Violation(
          passed
              ? story + " counts as passed, and no receiver has it in its queue"
              : story + " is passed to " + connection.passedTo() + " and counts as " + outcome);
    }
    boolean undisturbed = !thrown && !dying && stopNanos == World.NEVER;
    if (passed && connection.isReturned() && story.returnedWhenFetched && undisturbed) {
      throw new Violation(story + " counts as passed, and its receiver has left it unread");
    }
    BackendConfig routed = routed(story);
    boolean fits =
        switch (outcome) {
          case PASSED -> routed != null && story.isComplete() && isPassedToRoute(story, routed);
          case PASSED_TO_FALLBACK -> isPassedToFallback(story, routed);
          case REFUSED_NO_ROUTE -> routed == null && isRefused(story, Flight.Verdict.FOUND);
          case REFUSED_NO_HOST -> isRefused(story, Flight.Verdict.ABSENT);
          case REFUSED_FOREIGN -> isRefused(story, Flight.Verdict.FOREIGN);
          case REFUSED_MALFORMED -> is(story, Flight.Verdict.INVALID);
          case REFUSED_TOO_LARGE ->
              is(story, Flight.Verdict.TOO_LARGE) || connection.isInManyPieces();
          case REFUSED_UNAVAILABLE -> isUnavailable(story);
          case TIMED_OUT -> isLate(story) && (mayBeUnseen(story) || lookFailed);
          case TRUNCATED -> connection.isFinReceived() && mayBeUnseen(story);
          case RESET -> connection.isReset();
          case SHED -> shortage != null || isFull(story.socket);
          case DENIED, LIMITED -> true; // See byClient.
          case STOPPED -> dying || hasStopped();
          case LOST -> isLost(connection);
          case FAILED -> false;
        };
    if (!fits) {
      throw new Violation(story + " has an outcome that cannot be: " + outcome);
    }
    if (backedUp > counters.get(Counter.BACKED_UP)) {
      throw new Violation(story + " went to a backup and is not counted");
    }
    if (outcome == Outcome.PASSED && routed != null && offer == null && isIn(story, routed)) {
      // One that only some receivers may have waits apart.
      Long before = story.rules.lastPassed.get(routed);
      if (!connection.isBound()) {
        story.rules.lastPassed.put(routed, story.peekedNth);
      }
      // What goes to several sockets in messages of several has no order.
      boolean together =
          routed.batch() > 1
              || routed.method() == Method.AUTO
              // Counts when its receiver has received the first message, each in its time.
              || routed.method() == Method.PERSISTENT;
      boolean ordered =
          (routed.socketPaths().size() == 1 || !together)
              && !comesAgain(story, routed)
              && !connection.isBound();
      if (before != null && before > story.peekedNth && ordered) {
        throw new Violation(story + " is passed after one that came later");
      }
    }
  }

  /** A path's backend is not drained, nor the socket unhealthy. */
  private void requireMayGet(Story story, @Nullable String path) {
    Long since = path == null ? null : drained.get(backendOf(story, path).name());
    if (since != null && since < story.acceptedNanos) {
      throw new Violation(story + " goes to a backend that was drained before it came");
    }
    if (path != null && unhealthy.contains(path) && story.rules.equals(allRules.getLast())) {
      throw new Violation(story + " goes to a socket that a probe has put out");
    }
  }

  /** What is acknowledged is the receiver's, and what is not only if it cannot be taken back. */
  private void judgeOffered(Story story, Outcome outcome, Offer offer, boolean passed) {
    boolean inDoubt = counters.get(Counter.ACK_IN_DOUBT) > inDoubtCounted;
    inDoubtCounted = counters.get(Counter.ACK_IN_DOUBT);
    if (!passed) {
      if (!offer.isOver()) {
        throw new Violation(
            story + " may be a receiver's, " + offer + ", and counts as " + outcome);
      }
      return;
    }
    if (offer.isRevoked()) {
      throw new Violation(story + " counts as passed, and was taken back: " + offer);
    }
    if (offer.isSettled() || stopNanos != World.NEVER || dying) {
      return;
    }
    if (!inDoubt) {
      throw new Violation(story + " counts as passed and is not acknowledged: " + offer);
    }
    if (offer.isRevocable()) {
      throw new Violation(story + " is left to its receiver and could be taken back: " + offer);
    }
  }

  /** Whether what is pending has had its time since the proxy was asked to stop. */
  private boolean hasStopped() {
    return stopNanos != World.NEVER && world.nowNanos() >= stopNanos + STOP_NANOS;
  }

  /** Only what somebody has touched is lost. */
  private static boolean isLost(TcpConnection connection) {
    Offer offer = connection.offer();
    boolean gone = offer != null && offer.isReceiverGone();
    // What one has had that is not trusted is not looked at.
    return gone && (connection.isTouched() || connection.isBound());
  }

  private @Nullable BackendConfig routed(Story story) {
    if (story.listener.peek() == PeekMode.NONE || story.flight.host == null) {
      return null;
    }
    return switch (story.flight.host) {
      case "a.example" -> routed(story.rules, "a.example");
      case "b.example" -> routed(story.rules, "b.example");
      default -> null;
    };
  }

  /** Two hosts have a route, one each, in this order. */
  private static BackendConfig routed(Rules rules, String host) {
    return rules.backend(host.equals(rules.swapped ? "a.example" : "b.example") ? 1 : 0);
  }

  private @Nullable BackendConfig fallback(Story story) {
    return story.listener.fallback() instanceof Fallback.ToBackend to
        ? story.rules.backend(to.index())
        : null;
  }

  private static boolean isIn(Story story, BackendConfig backend) {
    Offer offer = story.connection.offer();
    String passedTo = story.connection.passedTo();
    String path = passedTo == null && offer != null ? offer.path() : passedTo;
    return path != null && backend.socketPaths().contains(path);
  }

  /** Which of a backend and its backups a connection is with, from 0, or -1. */
  private static int placeIn(Story story, BackendConfig first) {
    List<BackendConfig> chain = story.rules.chain(first);
    for (int i = 0; i < chain.size(); i++) {
      if (isIn(story, chain.get(i))) {
        return i;
      }
    }
    return -1;
  }

  private boolean isPassedToRoute(Story story, BackendConfig routed) {
    int place = placeIn(story, routed);
    backedUp += Math.max(place, 0);
    return place >= 0;
  }

  private boolean isPassedToFallback(Story story, @Nullable BackendConfig routed) {
    BackendConfig fallback = fallback(story);
    int place = fallback == null ? -1 : placeIn(story, fallback);
    if (fallback == null || place < 0) {
      return false;
    }
    backedUp += place;
    if (story.flight.isHttp2 && story.routedLate) {
      return true;
    }
    if (routed != null) {
      List<BackendConfig> before = story.rules.chain(routed);
      moved++;
      backedUp += before.size() - 1;
      return story.isComplete() && moved <= unavailable() && !before.contains(fallback);
    }
    boolean fallsBack =
        switch (story.flight.verdict) {
          case FOUND, ABSENT, FOREIGN -> true;
          case INVALID, TOO_LARGE, OPEN -> story.listener.peek() == PeekMode.NONE;
        };
    return fallsBack && story.isComplete();
  }

  private boolean isRefused(Story story, Flight.Verdict verdict) {
    return is(story, verdict) && story.listener.fallback() instanceof Fallback.Reject;
  }

  private static boolean is(Story story, Flight.Verdict verdict) {
    return story.flight.verdict == verdict && story.isComplete();
  }

  /** How often a backend was given up on for a connection. */
  private long unavailable() {
    return counters.get(Counter.HAND_OFF_TIMED_OUT) + atOnce();
  }

  /** How often a backend was given up on for a connection without waiting. */
  private long atOnce() {
    return counters.get(Counter.WITHHELD)
        + counters.get(Counter.MAX_QUEUE_REACHED)
        + counters.get(Counter.DRAINED);
  }

  private boolean isUnavailable(Story story) {
    List<BackendConfig> way = way(story);
    BackendConfig fallback = fallback(story);
    if (way.isEmpty() || counters.get(Outcome.REFUSED_UNAVAILABLE) > unavailable()) {
      return false;
    }
    long waited = way.getLast().handOffTimeout().toNanos();
    if (fallback != null) {
      // The way of one that is late begins there.
      List<BackendConfig> late = story.rules.chain(fallback);
      waited = Math.min(waited, late.getLast().handOffTimeout().toNanos());
    }
    return atOnce() > 0 || world.nowNanos() >= story.routedNanos + waited;
  }

  /** Whether its time to be routed may be up, which is shorter where the kernel held it back. */
  private boolean isLate(Story story) {
    long timeout = story.listener.peekTimeout().toNanos();
    long heldBack = story.listener.deferAccept() ? Math.min(MAX_DEFERRED_NANOS, timeout / 2) : 0;
    return world.nowNanos() >= story.acceptedNanos + timeout - heldBack;
  }

  @Override
  public void onAccepted(TcpListener listener, TcpConnection connection) {
    Listening listening = listeners.get(listener);
    if (listening == null) {
      throw new Violation("a connection is accepted from an unknown listener");
    }
    Story story = new Story(connection, listener, listening, world.nowNanos());
    story.peekedNth = ++peeks;
    stories.put(connection, story);
    open.add(story);
    byClient.onAccepted(listener, connection);
    accepted++;
    progress();
  }

  @Override
  public void onOffered(TcpConnection connection) {
    Story story = stories.get(connection);
    if (story == null || story.outcome != null) {
      throw new Violation("the " + connection + " is offered, and has its outcome");
    }
    Offer offered = connection.offer();
    if (offered != null && story.connection.offers() == 1) {
      requireMayGet(story, offered.path());
    }
    BackendConfig routed = routed(story);
    boolean late = story.flight.isHttp2 && story.routedLate;
    // One that a receiver had before, by a plain method, has left in its turn; of one that is not
    // trusted it waits apart.
    boolean first = connection.offers() == 1 && story.passedNanos == 0;
    if (first && !late && routed != null && isIn(story, routed)) {
      Long before = story.rules.lastOffered.put(routed, story.peekedNth);
      // An acknowledging receiver is offered several in a message: so no order among sockets.
      boolean ordered = routed.socketPaths().size() == 1 && !comesAgain(story, routed);
      if (before != null && before > story.peekedNth && ordered) {
        throw new Violation(story + " is offered after one that came later");
      }
    }
    progress();
  }

  @Override
  public void onPassed(TcpConnection connection) {
    Story story = stories.get(connection);
    if (story == null || story.outcome != null) {
      throw new Violation("the " + connection + " is passed, and has its outcome");
    }
    requireMayGet(story, connection.passedTo());
    story.passedNanos = world.nowNanos();
    story.receivedWhenFetched = false;
    story.returnedWhenFetched = false;
    progress();
  }

  @Override
  public void onClosing(TcpConnection connection) {
    Story story = stories.get(connection);
    if (story == null || story.outcome == null) {
      throw new Violation("the " + connection + " is closed without an outcome");
    }
    open.remove(story);
    byClient.onClosing(connection);
    progress();
  }

  private void progress() {
    idleTurns = 0;
    progressNanos = world.nowNanos();
  }

  @Override
  public void onThrown(Call call, List<TcpConnection> concerned, boolean error) {
    faulted.addAll(concerned);
    thrown = true;
    lookFailed |= call == Call.EPOLL_WAIT;
    dying |= error;
    progress();
  }

  @Override
  public void onShortage(Call call) {
    shortage = call;
  }

  @Override
  public void onMissedRoom(String path) {
    if (allRules.size() > 1) {
      return; // A backend from before a reload may have a channel to the same path.
    }
    for (Story story : open) {
      Offer offer = story.connection.offer();
      boolean sent = story.connection.passedTo() != null && !story.connection.isReturned();
      boolean waits = story.outcome == null && !story.connection.isBeingWatched() && !sent;
      if (waits && (offer == null || !offer.isOpen()) && waitsFor(story, path)) {
        throw new Violation(path + " was full and has room again, and " + story + " will not know");
      }
    }
  }

  /** Whether it can wait for no other backend than a path's. */
  private boolean waitsFor(Story story, String path) {
    List<BackendConfig> way = way(story);
    return way.size() == 1 && way.getFirst().socketPaths().contains(path);
  }

  @Override
  public void onWait(int timeoutMillis) {
    shortage = null;
    byClient.onWait();
    checkSpin();
    noteGivenOn();
    int waiting = 0;
    for (Story story : open) {
      Offer offer = story.connection.offer();
      boolean passed = story.connection.passedTo() != null;
      if (story.outcome == null && !story.connection.isBeingWatched() && offer == null && !passed) {
        waiting++;
      }
      if ((passed && story.receivedWhenFetched) || (offer != null && offer.isSettled())) {
        throw new Violation(story + " is passed, and the proxy keeps its own descriptor");
      }
      long deadline = deadline(story);
      long wakes = world.nowNanos() + timeoutMillis * NANOS_A_MILLI;
      if (timeoutMillis < 0 || wakes > deadline + NANOS_A_MILLI) {
        throw new Violation(
            "the loop would sleep for %d ms, and %s is due in %d µs"
                .formatted(timeoutMillis, story, (deadline - world.nowNanos()) / 1000));
      }
    }
    int room = 0;
    for (Rules rules : allRules) {
      for (BackendConfig backend : rules.configuration.backends()) {
        room += backend.maxQueue();
      }
    }
    if (waiting > room) {
      throw new Violation(waiting + " connections wait for backends, which may keep " + room);
    }
    boolean sleepsLong = timeoutMillis < 0 || timeoutMillis > MAX_REST_MILLIS;
    listeners.forEach((socket, listening) -> {
      if (sleepsLong && socket.isDeaf()) {
        throw new Violation(
            "%s is not watched, and the loop would sleep for %d ms"
                .formatted(socket, timeoutMillis));
      }
      if (pending(socket) > listening.mostPending()) {
        throw new Violation(pending(socket) + " connections are pending");
      }
    });
  }

  private void noteGivenOn() {
    long early = atOnce() + counters.get(Counter.BACKED_UP);
    if (early != givenOnAtOnce) {
      givenOnAtOnce = early;
      givenOnAtOnceNanos = world.nowNanos();
    }
    long all = early + counters.get(Counter.HAND_OFF_TIMED_OUT);
    if (all != givenOn) {
      givenOn = all;
      givenOnNanos = world.nowNanos();
    }
  }

  private int maxPending(TcpListener socket) {
    Listening listening = listeners.get(socket);
    return listening == null ? 0 : listening.config().maxPending();
  }

  /** Whether as many are pending as may be, with one that has its outcome just now. */
  private boolean isFull(TcpListener socket) {
    return pending(socket) + 1 >= maxPending(socket);
  }

  private int pending(TcpListener socket) {
    int pending = 0;
    for (Story story : open) {
      if (story.outcome == null && story.socket == socket && story.connection.isBeingWatched()) {
        pending++;
      }
    }
    return pending;
  }

  /** When the loop must have done something about a connection. */
  private long deadline(Story story) {
    if (story.outcome != null) {
      return switch (story.outcome) {
        case PASSED, PASSED_TO_FALLBACK, LOST, RESET, SHED, DENIED, LIMITED, STOPPED, FAILED ->
            throw new Violation(story + " is still open: " + story.outcome);
        default -> story.outcomeNanos + LINGER_NANOS;
      };
    }
    if (story.connection.isBeingWatched()) {
      return story.acceptedNanos + story.listener.peekTimeout().toNanos();
    }
    if (story.connection.passedTo() != null) {
      // In the first message of a UNIX connection: until that is received, or for a time.
      if (!story.returnedWhenFetched) {
        comeTo(story, backendOf(story, story.connection.passedTo()), story.passedNanos);
        story.heldNanos = story.passedNanos + PROVING_NANOS;
        return Math.max(story.heldNanos, waitingDeadline(story));
      }
      story.heldNanos = Math.min(story.heldNanos, world.nowNanos());
    }
    Offer offer = story.connection.offer();
    if (offer != null && offer.isOpen()) {
      // It is not taken back before ack-timeout, and then at once, or not before its time is up.
      BackendConfig to = backendOf(story, offer.path());
      comeTo(story, to, offer.nanos());
      story.heldNanos = offer.nanos() + to.ackTimeout().toNanos();
      return Math.max(story.heldNanos, waitingDeadline(story));
    }
    if (offer != null && story.closedOffer != offer) {
      story.closedOffer = offer;
      story.heldNanos = Math.min(story.heldNanos, world.nowNanos());
    }
    return waitingDeadline(story);
  }

  private static BackendConfig backendOf(Story story, String path) {
    return story.rules.configuration.backends().stream()
        .filter(backend -> backend.socketPaths().contains(path))
        .findFirst()
        .orElseThrow();
  }

  /** The backends that it may wait for: its own, the backups, and behind them the fallback. */
  private List<BackendConfig> way(Story story) {
    List<BackendConfig> known = story.way;
    if (known != null) {
      return known;
    }
    List<BackendConfig> way = new ArrayList<>();
    BackendConfig routed = story.isComplete() ? routed(story) : null;
    BackendConfig fallback = fallback(story);
    if (routed != null) {
      way.addAll(story.rules.chain(routed));
    }
    if (fallback != null && !way.contains(fallback)) {
      way.addAll(story.rules.chain(fallback));
    }
    story.way = way;
    return way;
  }

  /** Whether it may come to its backend again, as a backup of the fallback. */
  private boolean comesAgain(Story story, BackendConfig routed) {
    return Collections.frequency(way(story), routed) > 1;
  }

  /** It is known to have come to a backend, at a time at the latest. */
  private void comeTo(Story story, BackendConfig backend, long nanos) {
    List<BackendConfig> way = way(story);
    for (int i = story.stage + 1; i < way.size(); i++) {
      if (way.get(i).equals(backend) && !way.get(story.stage).equals(backend)) {
        story.stage = i;
        story.stageNanos = nanos;
        return;
      }
    }
  }

  /** When it must have left the backend that it waits for, wherever on its way it is. */
  private long waitingDeadline(Story story) {
    List<BackendConfig> way = way(story);
    if (way.isEmpty()) {
      throw new Violation(story + " waits for no backend");
    }
    long due = stageDue(story, way);
    while (world.nowNanos() >= due && story.stage + 1 < way.size()) {
      story.stage++;
      story.stageNanos = world.nowNanos();
      story.heldNanos = 0;
      due = stageDue(story, way);
    }
    boolean late = story.flight.isHttp2 && story.routedLate;
    if (givenOnAtOnceNanos < story.routedNanos && !late) {
      return due;
    }
    // It may have been given on before its time was up, so that all later times are earlier, too:
    // when any was, at the latest.
    long longest = 0;
    long all = 0;
    for (int i = story.stage + 1; i < way.size(); i++) {
      long timeout = way.get(i).handOffTimeout().toNanos();
      longest = Math.max(longest, timeout);
      all += timeout;
    }
    long given = Math.max(givenOnNanos, story.routedNanos);
    return Math.max(due, Math.min(given + longest, due + all));
  }

  private static long stageDue(Story story, List<BackendConfig> way) {
    long since = story.stage == 0 ? story.routedNanos : story.stageNanos;
    long timeout = way.get(story.stage).handOffTimeout().toNanos();
    return Math.max(since + timeout, story.heldNanos);
  }

  private void checkSpin() {
    if (world.happened() != happened) {
      happened = world.happened();
      progress();
      return;
    }
    idleTurns++;
    long millis = (world.nowNanos() - progressNanos) / NANOS_A_MILLI;
    if (idleTurns > MAX_IDLE_TURNS + millis) {
      throw new Violation(
          "the loop spins: " + idleTurns + " turns for nothing in " + millis + " ms");
    }
  }

  @Override
  public void onFetched() {
    byClient.onFetched();
    lookFailed = false;
    for (Story story : open) {
      story.completeWhenFetched = story.isComplete();
      story.receivedWhenFetched = story.connection.isReceived();
      story.returnedWhenFetched = story.connection.isReturned();
    }
  }

  /** The loop has ended. */
  void end() {
    attribute(null);
    long outcomes = 0;
    for (Outcome outcome : OUTCOMES) {
      outcomes += counters.get(outcome);
    }
    if (!open.isEmpty()) {
      throw new Violation("the loop has ended without " + open);
    }
    if (outcomes != accepted || counters.get(Counter.ACCEPTED) != accepted) {
      throw new Violation(
          "%d connections, %d counted, %d outcomes"
              .formatted(accepted, counters.get(Counter.ACCEPTED), outcomes));
    }
    long unavailable = moved + counters.get(Outcome.REFUSED_UNAVAILABLE);
    long waited = counters.get(Counter.QUEUED) + counters.get(Counter.TAKEN_BACK);
    if (counters.get(Counter.HAND_OFF_TIMED_OUT) > waited || unavailable > unavailable()) {
      throw new Violation("the counters of the queues do not add up");
    }
  }
}
