package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Method;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Counters;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Chance;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.InjectedError;
import dev.peekpass.simulation.Manners;
import dev.peekpass.simulation.Receiver;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.Violation;
import dev.peekpass.simulation.World;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One life of a loop in a world that follows from a seed: what is configured, who comes, what
 * receivers do, what goes wrong. The loop is the real one, with all that belongs to it; only the
 * kernel is simulated.
 */
final class Simulation {
  /** A client whose segments are tiny sends so many at least, if it has as many bytes. */
  private static final int TINY_SEGMENTS = 250;

  private static final long MILLI = 1_000_000;
  private static final long SECOND = 1_000 * MILLI;
  private static final long CROWD_SEEDS = 1_000;
  private static final long CROWD_SEED = 499;
  private static final int CROWD = 1_300;

  /** ::ffff:0:0 and 2001:db8::. */
  private static final long IPV4 = 0xffff_0000_0000L;

  private static final long IPV6 = 0x2001_0db8_0000_0000L;

  private static final Map<Integer, List<Flight>> FLIGHTS =
      Map.of(
          1 << 10, Flight.all(1 << 10), 1 << 13, Flight.all(1 << 13), 1 << 16, Flight.all(1 << 16));

  private final World world;
  private final Chance chance;
  private final UnixPaths paths = new UnixPaths();
  private final List<Receiver> receivers = new ArrayList<>();
  private final OperationPlan.Plan first;
  private final Faults faults;
  private final SimulatedKernel simulated;

  /** Whether every receiver is there from the beginning, prompt and roomy, and nothing fails. */
  private final boolean healthy;

  private final boolean peeksSeeAll;

  /** Whether faults are thrown out of calls. */
  private final boolean throwing;

  /** Whether the process may stand still for longer than a connection may wait. */
  private final boolean pauses;

  /** Whether some receiver says hello first, so that connections must wait for it. */
  private boolean acknowledges;

  /** Whether some backend of some configuration is probed. */
  private boolean probed;

  /** Whether it is reloaded, drained or taken over. */
  private boolean operated;

  /** What so many clients come for that a limit is met which few lives meet; else null. */
  private final @Nullable Crowd crowd;

  private int clients;

  /** How many addresses of a kind its clients have. */
  private int hosts = 1;

  /** Lives that cost a thousand others, at certain seeds. */
  private enum Crowd {
    /** For a host that is not served: more than may linger. */
    REFUSED,
    /** For a backend that acknowledges: more than a channel has words. */
    ACKNOWLEDGED
  }

  private Simulation(long seed, boolean traced) {
    world = new World(seed, traced);
    chance = world.chance();
    crowd =
        seed % CROWD_SEEDS != CROWD_SEED
            ? null
            : seed / CROWD_SEEDS % 2 == 0 ? Crowd.REFUSED : Crowd.ACKNOWLEDGED;
    // A quarter is calm, so that what must succeed then is seen to.
    int harm = crowd != null ? 0 : chance.below(4);
    healthy = harm == 0 && crowd == null && chance.hits(5000);
    first = configuration();
    faults = new Faults(chance, harm < 2 ? 0 : chance.ofInts(20, 200), harm == 0 ? 0 : 3000);
    if (harm > 0 && chance.hits(5000)) {
      faults.planStorm(world, chance.below(4 * SECOND), chance.below(SECOND));
    }
    throwing = (harm > 0 || crowd != null) && chance.hits(2500);
    if (throwing) {
      planThrows();
    }
    SimulatedKernel.Conditions conditions = new SimulatedKernel.Conditions();
    conditions.reuseNumbers = chance.hits(5000);
    conditions.races = chance.ofInts(0, 200, 2000);
    conditions.shortReads = chance.ofInts(0, 0, 500);
    conditions.deaths = harm == 0 ? 0 : chance.ofInts(0, 20, 200);
    conditions.pauses = chance.ofInts(0, 50, 500);
    conditions.pauseNanos = chance.of(MILLI, 300 * MILLI, 20 * SECOND);
    conditions.allAtOnce = chance.hits(5000);
    if (harm > 0) {
      conditions.maxDescriptors = chance.ofInts(8, 12, 20, 1024);
    } else if (healthy) {
      conditions.maxDescriptors = chance.between(14, 30);
    } else if (crowd != null) {
      conditions.maxDescriptors = 1 << 13;
    }
    pauses = conditions.pauses > 0;
    peeksSeeAll = conditions.shortReads == 0;
    simulated = new SimulatedKernel(world, paths, faults, conditions);
    simulated.onDeath(() -> receivers.get(chance.below(receivers.size())).die(chance.hits(5000)));
  }

  /** Exceptions now and then, or one error, somewhere in a life. */
  private void planThrows() {
    if (chance.hits(2500)) {
      faults.throwError(chance.below(chance.ofInts(20, 200, 2000)));
    } else {
      faults.throwExceptions(chance.ofInts(20, 100, 1000), chance.ofInts(1, 1, 3, 50));
    }
  }

  /**
   * What a life came to.
   *
   * @param trace what happened; empty unless it was asked for
   * @param counters what the loop counted, or null when it did not start
   */
  record Life(String trace, @Nullable Counters counters) {}

  /**
   * Lives through a seed.
   *
   * @param between what stands between the loop and the kernel; nothing, for the loop as it is
   * @throws Violation when the loop broke a promise; its message has the seed, and the trace is
   *     attached when it was asked for
   */
  static Life run(long seed, boolean traced, UnaryOperator<Kernel> between) {
    Simulation simulation = new Simulation(seed, traced);
    ErrorLog.take();
    Violation.takeFirst();
    try {
      Counters counters = simulation.run(between);
      simulation.requireNoFaultOfItsOwn(ErrorLog.take());
      Violation survived = Violation.takeFirst();
      if (survived != null) {
        throw survived;
      }
      return new Life(simulation.world.trace(), counters);
    } catch (Violation | RuntimeException | InjectedError thrown) {
      Violation first = Violation.takeFirst();
      Throwable e = first == null ? thrown : first;
      Violation told = new Violation("seed " + seed + ": " + e.getMessage());
      told.initCause(e);
      if (traced) {
        told.addSuppressed(new Traced(simulation.world.trace()));
      }
      throw told;
    }
  }

  /** What is logged as a fault was thrown as one. */
  private void requireNoFaultOfItsOwn(List<String> errors) {
    for (String error : errors) {
      boolean injected = error.contains("Injected") || error.contains("IndexOutOfBounds");
      if (faults.thrown() == 0 || !injected) {
        throw new Violation("the proxy says that it is at fault: " + error);
      }
    }
  }

  /** Carries the trace of a run that failed. */
  static final class Traced extends RuntimeException {
    private static final long serialVersionUID = 1;

    Traced(String trace) {
      super(trace, null, false, false);
    }
  }

  /** Makes up a configuration. */
  private OperationPlan.Plan configuration() {
    Plans.Written made = crowd != null ? Plans.forCrowd(chance) : Plans.any(chance, healthy);
    probed |= made.yaml().contains("probe:");
    world.note(made.yaml());
    return made.plan();
  }

  private @Nullable Counters run(UnaryOperator<Kernel> between) {
    Kernel kernel = between.apply(simulated);
    Loop loop;
    Witness witness;
    OperationPlan operator;
    try {
      loop = new Loop(kernel, SimulatedCloser.of(simulated, chance.of(0L, 10_000L, 5 * SECOND)));
      witness = new Witness(world, loop.counters(), peeksSeeAll);
      witness.byClient().compareWith(loop.clients());
      operator = begin(loop, witness);
      planReceivers();
    } catch (SystemCallException e) {
      world.note("the proxy does not start: " + e.getMessage());
      requireAllClosed();
      return null;
    }
    planOperator(operator);
    simulated.observe(witness);
    live(loop);
    witness.end();
    operator.end();
    boolean goesOn = operator.hasHandedOver() && !faults.hasErred();
    if (goesOn && loop.counters().get(Outcome.STOPPED) > 0) {
      throw new Violation("a loop that was taken over did not finish what it had");
    }
    int ended = receivers.stream().mapToInt(Receiver::channelsEnded).sum();
    int breaches = receivers.stream().mapToInt(Receiver::breaches).sum();
    int drains = receivers.stream().mapToInt(Receiver::drains).sum();
    int excused = breaches + drains + simulated.failedHellos() + faults.thrown();
    if (loop.counters().get(Counter.CHANNEL_LOST) > ended + excused) {
      throw new Violation("the loop gave up channels to receivers that were there");
    }
    if (loop.counters().get(Counter.RECEIVER_FAULT) > breaches) {
      throw new Violation("the loop complains of receivers that kept to the protocol");
    }
    boolean prompt = healthy && !operated && !(acknowledges && pauses);
    if (prompt && loop.counters().get(Outcome.REFUSED_UNAVAILABLE) > 0) {
      throw new Violation("a client was told that a backend is not there, and it was");
    }
    if (prompt && loop.counters().get(Counter.BACKED_UP) > 0) {
      throw new Violation("a backup got a connection, and its backend was there");
    }
    requireAllClosed();
    return loop.counters();
  }

  /** Runs a loop until it ends, by an error only if one was thrown, and then by that. */
  private void live(Loop loop) {
    Throwable ending = null;
    try {
      loop.run();
    } catch (InjectedError error) {
      ending = error;
    }
    if (faults.hasErred() != (ending != null)) {
      throw new Violation(
          ending == null ? "the loop goes on after an error" : "the loop throws an error again");
    }
  }

  private OperationPlan begin(Loop loop, Witness witness) throws SystemCallException {
    try {
      return new OperationPlan(world, simulated, loop, witness, first, this::planClients);
    } catch (SystemCallException e) {
      loop.discard();
      throw e;
    }
  }

  private void requireAllClosed() {
    simulated.finishAside();
    if (simulated.mappedPages() > 0) {
      throw new Violation("the proxy has ended and left memory mapped");
    }
    if (simulated.openDescriptors() > 0) {
      throw new Violation("the proxy has ended and left open:" + simulated.openFiles());
    }
  }

  private void planReceivers() {
    int user = chance.ofInts(0, 1000);
    for (BackendConfig backend : first.configuration().backends()) {
      for (String path : backend.socketPaths()) {
        long delay = healthy ? 0 : chance.of(0L, 100_000L, 5 * MILLI, 400 * MILLI);
        long hold = chance.of(MILLI, SECOND);
        Receiver receiver = new Receiver(world, paths, path, delay, chance.ofInts(1, 3, 100), hold);
        receiver.user(healthy ? user : chance.ofInts(0, 0, 1000, 1001));
        if (chance.hits(5000)) {
          receiver.lingers();
        }
        receivers.add(receiver);
        planLives(receiver, backend.method());
      }
    }
  }

  private void planLives(Receiver receiver, Method method) {
    if (healthy) {
      if (method == Method.ACKNOWLEDGED || (method == Method.AUTO && chance.hits(5000))) {
        acknowledges = true;
        receiver.startAcknowledged(128, 1000, new Manners());
      } else if (method == Method.DATAGRAM) {
        receiver.startDatagram(1000);
      } else {
        receiver.startStream(128, 1000);
      }
      return;
    }
    if (crowd == null && chance.hits(500)) {
      return; // It never comes.
    }
    if (crowd != null) {
      Manners manners = new Manners();
      manners.maxDescriptors = 2 * CROWD;
      manners.credits = 2 * CROWD;
      manners.ackNanos = chance.of(0L, 100 * MILLI, 2 * SECOND);
      manners.touchNanos = SECOND;
      receiver.planAcknowledged(0, 5, 278, manners);
      return;
    }
    long at = chance.hits(7000) ? 0 : chance.below(3 * SECOND);
    for (int life = chance.between(1, 4); life > 0; life--) {
      // Now and then of a type that the method cannot use.
      boolean acknowledges =
          chance.hits(500)
              || switch (method) {
                case ACKNOWLEDGED -> true;
                case AUTO -> chance.hits(5000);
                default -> false;
              };
      boolean datagram =
          chance.hits(500)
              || switch (method) {
                case DATAGRAM -> true;
                case AUTO -> chance.hits(5000);
                default -> false;
              };
      if (acknowledges) {
        receiver.planAcknowledged(
            at, chance.ofInts(0, 1, 5, 128), chance.ofInts(1, 4, 16, 278), manners());
        if (chance.hits(3000)) {
          receiver.planDrain(at + chance.below(3 * SECOND), chance.hits(5000));
        }
      } else if (datagram) {
        receiver.planDatagram(at, chance.ofInts(0, 2, 10));
      } else {
        receiver.planStream(at, chance.ofInts(0, 1, 5, 128), chance.ofInts(1, 4, 16, 278));
      }
      if (chance.hits(2000)) {
        receiver.planFreeze(at + chance.below(SECOND), chance.below(6 * SECOND));
      }
      if (chance.hits(2000)) {
        receiver.planCloseOfChannel(at + chance.below(SECOND));
      }
      if (life > 1) {
        at += chance.below(3 * SECOND);
        receiver.planDeath(at, chance.hits(5000));
        at += chance.of(0L, MILLI, 300 * MILLI);
      }
    }
  }

  private Manners manners() {
    Manners manners = new Manners();
    manners.claims = chance.hits(8000);
    manners.maxDescriptors = chance.ofInts(1, 3, 1000);
    manners.looksFirst = chance.hits(7000);
    int most = chance.ofInts(1, 2, 16, 253);
    manners.most = manners.looksFirst ? Math.min(most, manners.maxDescriptors) : most;
    manners.credits = chance.ofInts(1, 2, 8, 256, 4096);
    manners.helloNanos = chance.of(0L, 0L, MILLI, 2 * SECOND);
    manners.claimNanos = chance.of(0L, MILLI, 100 * MILLI, 2 * SECOND);
    manners.ackNanos = chance.of(0L, MILLI, 100 * MILLI, 4 * SECOND);
    manners.touchNanos = chance.of(0L, MILLI, 100 * MILLI, SECOND);
    manners.refusals = chance.ofInts(0, 0, 500, 5000);
    manners.deaths = chance.ofInts(0, 0, 100, 1000);
    manners.breaches = chance.ofInts(0, 0, 0, 500);
    manners.denials = chance.ofInts(0, 0, 0, 1000, 10_000);
    if (chance.hits(500)) {
      manners.idleAckNanos = chance.of(100 * MILLI, 10 * MILLI, MILLI);
    }
    return manners;
  }

  private void planOperator(OperationPlan operator) {
    long stopAt = 500 * MILLI + chance.below(9 * SECOND);
    if (crowd == null && chance.hits(500)) {
      // From the start, as after a takeover.
      operated = true;
      String backend = chance.of(Plans.BACKENDS);
      operator.plan(0, "drains " + backend, () -> operator.drain(backend, true));
    }
    if (probed) {
      for (int reports = chance.between(1, 8); reports > 0; reports--) {
        int backend = chance.below(Plans.BACKENDS.length);
        int socket = chance.below(Plans.MOST_SOCKETS);
        boolean well = chance.hits(4000);
        operator.plan(
            chance.below(4 * SECOND),
            "probes " + Plans.BACKENDS[backend] + (socket + 1) + ": " + (well ? "well" : "unwell"),
            () -> operator.probe(backend, socket, well));
      }
    }
    if (crowd == null && chance.hits(3000)) {
      operated = true;
      // Half of them at once, so that one meets another, or the end.
      long together = chance.hits(8000) ? chance.below(5 * SECOND) : stopAt;
      for (int acts = chance.between(1, 6); acts > 0; acts--) {
        long at = chance.hits(5000) ? together : chance.below(5 * SECOND);
        String backend = chance.of(Plans.BACKENDS);
        switch (chance.below(4)) {
          case 0 -> operator.plan(at, "drains " + backend, () -> operator.drain(backend, true));
          case 1 -> operator.plan(at, "undrains " + backend, () -> operator.drain(backend, false));
          default -> operator.plan(at, "reloads", () -> operator.reload(configuration()));
        }
      }
      if (chance.hits(2000)) {
        int wanted = chance.below(4);
        operator.plan(
            chance.hits(5000) ? together : stopAt, "hands over", () -> operator.handOver(wanted));
        // A loop that was taken over must end by itself.
        stopAt += 600 * SECOND;
      }
    }
    operator.plan(
        stopAt,
        "stops the proxy",
        () -> {
          if (operator.hasHandedOver()) {
            throw new Violation("a loop that was taken over goes on and on");
          }
          operator.stop();
        });
  }

  private void planClients(List<SocketPlan.Assigned> sockets) {
    if (sockets.isEmpty()) {
      return;
    }
    if (crowd != null) {
      String flight = "a request for " + (crowd == Crowd.REFUSED ? "unknown.example" : "a.example");
      long within = chance.of(0L, 500 * MILLI);
      for (int left = CROWD; left > 0; left -= CROWD / 10) {
        burst(sockets.getFirst(), CROWD / 10, chance.below(within + 1), flight);
      }
      return;
    }
    hosts = chance.ofInts(1, 2, 5, 40);
    int count = chance.ofInts(1, 5, 20, 60);
    long within = chance.of(MILLI, 200 * MILLI, 4 * SECOND);
    for (int i = 0; i < count; i++) {
      SocketPlan.Assigned socket = sockets.get(chance.below(sockets.size()));
      Flight flight = flight(socket, null);
      Client client = client(socket, flight);
      int length = flight.bytes.length;
      int sends = chance.hits(8000) ? length : chance.below(length + 1);
      int segment = chance.ofInts(1 << 16, 1460, 1 + length / 8);
      long gap = chance.of(0L, 50_000L, 20 * MILLI, 500 * MILLI);
      Client.End end =
          chance.hits(6000) ? Client.End.SILENCE : chance.of(Client.End.FIN, Client.End.RESET);
      if (chance.hits(200)) {
        // Hundreds of segments, which the kernel joins, or cannot.
        segment = Math.max(1, length / TINY_SEGMENTS);
        gap = Math.min(gap, MILLI);
        if (chance.hits(5000)) {
          client.comesInPieces();
        }
      }
      client.plan(chance.below(within), sends, segment, gap, end);
    }
    if (chance.hits(500)) {
      // More than go into a message, or are accepted in a turn; mostly for one backend.
      String host = chance.of("a.example", "b.example");
      String same = chance.hits(7000) ? "a request for " + host : null;
      burst(
          sockets.get(chance.below(sockets.size())),
          chance.between(20, 200),
          chance.below(2 * SECOND),
          same);
    }
  }

  /** Plans that clients come at the same moment, with what is named or with anything. */
  private void burst(SocketPlan.Assigned socket, int count, long nanos, @Nullable String name) {
    List<Client> burst = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      burst.add(client(socket, flight(socket, name)));
    }
    Client.planBurst(world, nanos, burst);
  }

  private Flight flight(SocketPlan.Assigned socket, @Nullable String name) {
    List<Flight> choice = FLIGHTS.getOrDefault(socket.config().maxPeekBytes(), List.of());
    if (name == null) {
      return choice.get(chance.below(choice.size()));
    }
    return choice.stream().filter(one -> one.toString().equals(name)).findFirst().orElseThrow();
  }

  private Client client(SocketPlan.Assigned socket, Flight flight) {
    TcpListener listener = simulated.listener(socket.socket().fd());
    Client client = new Client(world, clients++, listener, flight.bytes, flight);
    if (crowd == null) {
      if (chance.hits(8000)) {
        client.address(0, IPV4 | (0xc0000200L + chance.below(hosts)));
      } else {
        client.address(IPV6 | chance.below(2), chance.below(hosts));
      }
    }
    return client;
  }
}
