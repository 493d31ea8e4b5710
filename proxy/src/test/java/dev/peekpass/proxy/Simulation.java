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
  private static final long MILLI = 1_000_000;
  private static final long SECOND = 1_000 * MILLI;
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

  /** Whether the process may stand still for longer than a connection may wait. */
  private final boolean pauses;

  /** Whether some receiver says hello first, so that connections must wait for it. */
  private boolean acknowledges;

  /** Whether it is reloaded, drained or taken over. */
  private boolean operated;

  private int clients;

  private Simulation(long seed, boolean traced) {
    world = new World(seed, traced);
    chance = world.chance();
    // A quarter is calm, so that what must succeed then is seen to.
    int harm = chance.below(4);
    healthy = harm == 0 && chance.hits(5000);
    first = configuration();
    faults = new Faults(chance, harm < 2 ? 0 : chance.ofInts(20, 200), harm == 0 ? 0 : 3000);
    if (harm > 0 && chance.hits(5000)) {
      faults.planStorm(world, chance.below(4 * SECOND), chance.below(SECOND));
    }
    SimulatedKernel.Conditions conditions = new SimulatedKernel.Conditions();
    conditions.reuseNumbers = chance.hits(5000);
    conditions.races = chance.ofInts(0, 200, 2000);
    conditions.shortReads = chance.ofInts(0, 0, 500);
    conditions.deaths = harm == 0 ? 0 : chance.ofInts(0, 20, 200);
    conditions.pauses = chance.ofInts(0, 50, 500);
    conditions.pauseNanos = chance.of(MILLI, 300 * MILLI, 20 * SECOND);
    if (harm > 0) {
      conditions.maxDescriptors = chance.ofInts(8, 12, 20, 1024);
    } else if (healthy) {
      conditions.maxDescriptors = chance.between(14, 30);
    }
    pauses = conditions.pauses > 0;
    peeksSeeAll = conditions.shortReads == 0;
    simulated = new SimulatedKernel(world, paths, faults, conditions);
    simulated.onDeath(() -> receivers.get(chance.below(receivers.size())).die(chance.hits(5000)));
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
    try {
      ErrorLog.take();
      Counters counters = simulation.run(between);
      List<String> errors = ErrorLog.take();
      if (!errors.isEmpty()) {
        throw new Violation("the proxy says that it is at fault: " + errors);
      }
      return new Life(simulation.world.trace(), counters);
    } catch (Violation | RuntimeException e) {
      Violation told = new Violation("seed " + seed + ": " + e.getMessage());
      told.initCause(e);
      if (traced) {
        told.addSuppressed(new Traced(simulation.world.trace()));
      }
      throw told;
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
    String yaml = yaml();
    world.note(yaml);
    return new OperationPlan.Plan(
        Tests.configuration(yaml), yaml.contains("a.example, backend: b"));
  }

  private String yaml() {
    StringBuilder yaml = new StringBuilder();
    boolean fallsBack = chance.hits(5000);
    String fallback =
        fallsBack
            ? chance.of("c", "a")
            : "{ reject: " + chance.of("tls-alert", "http-status", "close") + " }";
    yaml.append("fallback: ").append(fallback).append("\nlisteners:\n");
    listener(yaml, 1);
    if (chance.hits(3000)) {
      listener(yaml, 2);
    }
    if (fallsBack && chance.hits(3000)) {
      yaml.append("  - { bind: \"127.0.0.1:3\", peek: none }\n");
    }
    yaml.append("backends:\n");
    for (String name : new String[] {"a", "b", "c"}) {
      yaml.append("  ").append(name).append(": { handoff: [\"unix:/").append(name).append("1\"");
      boolean several = chance.hits(4000);
      if (several) {
        yaml.append(", \"unix:/").append(name).append("2\"");
      }
      String method = chance.of("auto", "auto", "acknowledged", "once", "persistent", "datagram");
      yaml.append("], method: ").append(method);
      if (!method.equals("once") && chance.hits(4000)) {
        yaml.append(", batch: ").append(chance.ofInts(2, 3, 253));
      }
      if (several) {
        String balance = chance.of("round-robin", "least-connections", "source-hash");
        yaml.append(", balance: ").append(balance);
        yaml.append(", slow-start: ").append(chance.of("0s", "0s", "2s"));
      }
      yaml.append(", hand-off-timeout: ")
          .append(chance.of(healthy ? "50ms" : "1ms", "50ms", "1s", "5s"));
      yaml.append(", ack-timeout: ").append(chance.of("10ms", "100ms", "500ms", "3s"));
      yaml.append(", max-queue: ").append(healthy ? 1024 : chance.ofInts(0, 1, 4, 1024));
      yaml.append(" }\n");
    }
    boolean swapped = chance.hits(3000);
    yaml.append("routes:\n  - { host: a.example, backend: ").append(swapped ? "b" : "a");
    yaml.append(" }\n  - { host: b.example, backend: ").append(swapped ? "a" : "b");
    return yaml.append(" }\n").toString();
  }

  private void listener(StringBuilder yaml, int port) {
    yaml.append("  - { bind: \"127.0.0.1:").append(port).append('"');
    yaml.append(", peek-timeout: ").append(chance.of("100ms", "1s", "5s"));
    yaml.append(", max-peek: ").append(chance.of("1KiB", "8KiB", "64KiB"));
    yaml.append(", max-pending: ").append(chance.ofInts(1, 2, 5, 16384));
    yaml.append(", backlog: ").append(chance.ofInts(1, 4, 128));
    yaml.append(", defer-accept: ").append(chance.hits(5000)).append(" }\n");
  }

  private @Nullable Counters run(UnaryOperator<Kernel> between) {
    Kernel kernel = between.apply(simulated);
    Loop loop;
    Witness witness;
    OperationPlan operator;
    try {
      loop = new Loop(kernel);
      witness = new Witness(world, loop.counters(), peeksSeeAll);
      operator = begin(loop, witness);
      planReceivers();
    } catch (SystemCallException e) {
      world.note("the proxy does not start: " + e.getMessage());
      requireAllClosed();
      return null;
    }
    planOperator(operator);
    simulated.observe(witness);
    loop.run();
    witness.end();
    operator.end();
    if (operator.hasHandedOver() && loop.counters().get(Outcome.STOPPED) > 0) {
      throw new Violation("a loop that was taken over did not finish what it had");
    }
    int ended = receivers.stream().mapToInt(Receiver::channelsEnded).sum();
    int breaches = receivers.stream().mapToInt(Receiver::breaches).sum();
    if (loop.counters().get(Counter.CHANNEL_LOST) > ended + breaches + simulated.failedHellos()) {
      throw new Violation("the loop gave up channels to receivers that were there");
    }
    if (loop.counters().get(Counter.RECEIVER_FAULT) > breaches) {
      throw new Violation("the loop complains of receivers that kept to the protocol");
    }
    boolean prompt = healthy && !operated && !(acknowledges && pauses);
    if (prompt && loop.counters().get(Outcome.REFUSED_UNAVAILABLE) > 0) {
      throw new Violation("a client was told that a backend is not there, and it was");
    }
    requireAllClosed();
    return loop.counters();
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
    if (simulated.mappedPages() > 0) {
      throw new Violation("the proxy has ended and left memory mapped");
    }
    if (simulated.openDescriptors() > 0) {
      throw new Violation("the proxy has ended and left open:" + simulated.openFiles());
    }
  }

  private void planReceivers() {
    for (BackendConfig backend : first.configuration().backends()) {
      for (String path : backend.socketPaths()) {
        long delay = healthy ? 0 : chance.of(0L, 100_000L, 5 * MILLI, 400 * MILLI);
        long hold = chance.of(MILLI, SECOND);
        Receiver receiver = new Receiver(world, paths, path, delay, chance.ofInts(1, 3, 100), hold);
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
    if (chance.hits(500)) {
      return; // It never comes.
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
    manners.credits = chance.ofInts(1, 2, 8, 256);
    manners.helloNanos = chance.of(0L, 0L, MILLI, 2 * SECOND);
    manners.claimNanos = chance.of(0L, MILLI, 100 * MILLI, 2 * SECOND);
    manners.ackNanos = chance.of(0L, MILLI, 100 * MILLI, 4 * SECOND);
    manners.touchNanos = chance.of(0L, MILLI, 100 * MILLI, SECOND);
    manners.refusals = chance.ofInts(0, 0, 500, 5000);
    manners.deaths = chance.ofInts(0, 0, 100, 1000);
    manners.breaches = chance.ofInts(0, 0, 0, 500);
    return manners;
  }

  private void planOperator(OperationPlan operator) {
    long stopAt = 500 * MILLI + chance.below(9 * SECOND);
    if (chance.hits(3000)) {
      operated = true;
      // Half of them at once, so that one meets another, or the end.
      long together = chance.hits(8000) ? chance.below(5 * SECOND) : stopAt;
      for (int acts = chance.between(1, 6); acts > 0; acts--) {
        long at = chance.hits(5000) ? together : chance.below(5 * SECOND);
        String backend = chance.of("a", "b", "c");
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
        stopAt += 60 * SECOND;
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
    int count = chance.ofInts(1, 5, 20, 60);
    long within = chance.of(MILLI, 200 * MILLI, 4 * SECOND);
    for (int i = 0; i < count; i++) {
      SocketPlan.Assigned socket = sockets.get(chance.below(sockets.size()));
      List<Flight> choice = FLIGHTS.getOrDefault(socket.config().maxPeekBytes(), List.of());
      TcpListener listener = simulated.listener(socket.socket().fd());
      Flight flight = choice.get(chance.below(choice.size()));
      Client client = new Client(world, clients++, listener, flight.bytes, flight);
      int length = flight.bytes.length;
      int sends = chance.hits(8000) ? length : chance.below(length + 1);
      int segment = chance.ofInts(1 << 16, 1460, 1 + length / 8);
      long gap = chance.of(0L, 50_000L, 20 * MILLI, 500 * MILLI);
      Client.End end =
          chance.hits(6000) ? Client.End.SILENCE : chance.of(Client.End.FIN, Client.End.RESET);
      client.plan(chance.below(within), sends, segment, gap, end);
    }
  }
}
