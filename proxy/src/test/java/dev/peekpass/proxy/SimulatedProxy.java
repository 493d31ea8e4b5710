package dev.peekpass.proxy;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.InjectedError;
import dev.peekpass.simulation.Receiver;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.Violation;
import dev.peekpass.simulation.World;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * A loop with one listener on a simulated kernel, and a receiver for each socket of its backends,
 * for tests of one thing that goes wrong. It is watched as in the {@link Simulation}.
 */
final class SimulatedProxy {
  static final long MILLI = 1_000_000;
  static final long SECOND = 1_000 * MILLI;

  /** A backend with one socket, {@code /a1}. */
  static final String ONE_BACKEND =
      """
      listeners: [ { bind: "127.0.0.1:1", peek-timeout: 1s, defer-accept: false } ]
      backends: { a: { handoff: "unix:/a1", method: persistent, hand-off-timeout: 1s } }
      routes: [ { host: a.example, backend: a } ]
      """;

  private static final int MAX_PEEK_BYTES = 1 << 16;

  /** When a world begins. */
  private static final long START_NANOS = SECOND;

  final World world = new World(1, true);
  final Faults faults = new Faults(world.chance());
  final SimulatedKernel.Conditions conditions = new SimulatedKernel.Conditions();

  /** That of the first backend's first socket. */
  final Receiver receiver;

  private final Map<String, Receiver> receivers = new HashMap<>();
  private final UnixPaths paths = new UnixPaths();
  private final SimulatedKernel kernel = new SimulatedKernel(world, paths, faults, conditions);
  private final Configuration configuration;
  private final Loop loop;
  private final Witness witness;
  private final List<TcpListener> listeners = new ArrayList<>();
  private final List<CompletableFuture<?>> asked = new ArrayList<>();
  private int clients;

  /**
   * By a configuration, whose clients come to its first listener unless it is said; a.example goes
   * to its first backend, b.example to its second.
   */
  SimulatedProxy(String yaml) throws SystemCallException {
    configuration = Tests.configuration(yaml);
    var sockets = SocketPlan.of(kernel, configuration, 1, List.of(), held -> {}).ofLoop(0);
    loop = new Loop(kernel, SimulatedCloser.of(kernel, MILLI));
    loop.begin(new Generation(loop, null, configuration, sockets, Set.of(), new AccessLog(null)));
    witness = new Witness(world, loop.counters(), true);
    witness.byClient().compareWith(loop.clients());
    Map<TcpListener, ListenerConfig> listening = new HashMap<>();
    for (int i = 0; i < sockets.size(); i++) {
      TcpListener listener = kernel.listener(sockets.get(i).socket().fd());
      listeners.add(listener);
      listening.put(listener, configuration.listeners().get(i));
    }
    witness.onConfiguration(configuration, false, listening);
    for (BackendConfig backend : configuration.backends()) {
      for (String path : backend.socketPaths()) {
        receivers.put(path, new Receiver(world, paths, path, 0, 100, MILLI));
      }
    }
    receiver = receiver(configuration.backends().getFirst().socketPaths().getFirst());
    kernel.observe(witness);
  }

  /** The receiver at a path. */
  Receiver receiver(String path) {
    return Objects.requireNonNull(receivers.get(path), path);
  }

  /** Another process that can bind the same path while the one there is alive. */
  Receiver another(String path) {
    return new Receiver(world, paths, path, 0, 100, MILLI);
  }

  /** Plans that a backend is drained. */
  void drain(long atNanos, String backend) {
    world.after(
        atNanos,
        "operator",
        "drains " + backend,
        () ->
            asked.add(
                loop.submit(
                    kernel,
                    () -> {
                      loop.setDrained(backend, true);
                      witness.onDrained(backend, true);
                    })));
  }

  /** Plans a client that sends a whole request for the backend, in segments, and falls silent. */
  void client(long atNanos, int segmentBytes) {
    Client client = client();
    client.plan(atNanos, client.length(), segmentBytes, MILLI, Client.End.SILENCE);
  }

  /** Plans a client that sends the beginning of a request only. */
  void slowClient(long atNanos) {
    Client client = client();
    client.plan(atNanos, client.length() / 2, client.length(), MILLI, Client.End.SILENCE);
  }

  /** The same, from 192.0.2.x. */
  void slowClient(long atNanos, int x) {
    Client client = client();
    client.address(0, 0xffff_c000_0200L | x);
    client.plan(atNanos, client.length() / 2, client.length(), MILLI, Client.End.SILENCE);
  }

  /** Plans that so many of them come at the same moment, with all they have to say. */
  List<Client> burst(long atNanos, int count) {
    List<Client> burst = Stream.generate(this::client).limit(count).toList();
    Client.planBurst(world, atNanos, burst);
    return burst;
  }

  /** A client whose request of 2 kB comes a byte a segment, and perhaps lies so in the queue. */
  void clientByByte(long atNanos, boolean inPieces) {
    Client client = client("a request of 2 kB for a.example");
    if (inPieces) {
      client.comesInPieces();
    }
    client.plan(atNanos, client.length(), 1, 1000, Client.End.SILENCE);
  }

  /**
   * A client whose request comes a byte a millisecond, so that it is soon looked at now and then
   * only, and its last byte much later.
   */
  void dribblingClient(long atNanos, long lastNanos) {
    Client client = client();
    world.after(atNanos, client, "connects", client::connect);
    for (int i = 1; i < client.length(); i++) {
      world.after(atNanos + i * MILLI, client, "sends a byte", () -> client.send(1));
    }
    world.after(lastNanos, client, "sends the last byte", () -> client.send(1));
  }

  /** The same, to another listener. */
  void slowClientOf(int nth, long atNanos, int x) {
    Client client = client("a request for a.example", nth);
    client.address(0, 0xffff_c000_0200L | x);
    client.plan(atNanos, client.length() / 2, client.length(), MILLI, Client.End.SILENCE);
  }

  /** Plans a client that is turned away, reads why, and does not hang up. */
  void refusedClient(long atNanos, int x) {
    Client client = client("a request for unknown.example");
    client.address(0, 0xffff_c000_0200L | x);
    client.plan(atNanos, client.length(), client.length(), MILLI, Client.End.SILENCE);
  }

  private Client client() {
    return client("a request for a.example");
  }

  private Client client(String name) {
    return client(name, 0);
  }

  private Client client(String name, int nth) {
    Flight flight =
        Flight.all(MAX_PEEK_BYTES).stream()
            .filter(f -> f.toString().equals(name))
            .findFirst()
            .orElseThrow();
    return new Client(world, clients++, listeners.get(nth), flight.bytes, flight);
  }

  /** Runs until a time at which the proxy is asked to stop, and until it has. */
  void runUntil(long nanos) {
    ErrorLog.take();
    world.after(
        nanos,
        "operator",
        "stops the proxy",
        () -> {
          witness.onStop();
          loop.stop(kernel);
        });
    try {
      loop.run();
    } catch (InjectedError error) {
      witness.end();
      throw error;
    }
    witness.end();
    if (!asked.stream().allMatch(CompletableFuture::isDone)) {
      throw new Violation("what the loop was asked is not done");
    }
  }

  /** The time that has passed since it was made, in nanoseconds. */
  long nowNanos() {
    return world.nowNanos() - START_NANOS;
  }

  long count(Outcome outcome) {
    return loop.counters().get(outcome);
  }

  long count(Counter counter) {
    return loop.counters().get(counter);
  }

  int openDescriptors() {
    kernel.finishAside();
    return kernel.openDescriptors();
  }
}
