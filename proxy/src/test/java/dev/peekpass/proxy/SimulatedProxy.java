package dev.peekpass.proxy;

import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.SocketPlan;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.simulation.Client;
import dev.peekpass.simulation.Faults;
import dev.peekpass.simulation.Receiver;
import dev.peekpass.simulation.SimulatedKernel;
import dev.peekpass.simulation.TcpListener;
import dev.peekpass.simulation.UnixPaths;
import dev.peekpass.simulation.World;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A loop with one listener and one backend on a simulated kernel, for tests of one thing that goes
 * wrong. It is watched as in the {@link Simulation}.
 */
final class SimulatedProxy {
  static final long MILLI = 1_000_000;
  static final long SECOND = 1_000 * MILLI;
  private static final String YAML =
      """
      listeners: [ { bind: "127.0.0.1:1", peek-timeout: 1s, defer-accept: false } ]
      backends: { a: { handoff: "unix:/a1", method: persistent, hand-off-timeout: 1s } }
      routes: [ { host: a.example, backend: a } ]
      """;
  private static final int MAX_PEEK_BYTES = 1 << 16;

  final World world = new World(1, true);
  final Faults faults = new Faults(world.chance());
  final SimulatedKernel.Conditions conditions = new SimulatedKernel.Conditions();
  final Receiver receiver;
  private final UnixPaths paths = new UnixPaths();
  private final SimulatedKernel kernel = new SimulatedKernel(world, paths, faults, conditions);
  private final Configuration configuration = Tests.configuration(YAML);
  private final Loop loop;
  private final Witness witness;
  private final TcpListener listener;
  private int clients;

  SimulatedProxy() throws SystemCallException {
    var sockets = SocketPlan.of(kernel, configuration, 1, List.of(), held -> {}).ofLoop(0);
    loop = new Loop(kernel);
    loop.begin(new Generation(loop, null, configuration, sockets, Set.of(), new AccessLog(null)));
    witness = new Witness(world, loop.counters(), true);
    listener = kernel.listener(sockets.getFirst().socket().fd());
    witness.onConfiguration(
        configuration, false, Map.of(listener, configuration.listeners().getFirst()));
    receiver = new Receiver(world, paths, "/a1", 0, 100, MILLI);
    kernel.observe(witness);
  }

  /** Plans a client that sends a whole request for the backend, in segments, and falls silent. */
  void client(long atNanos, int segmentBytes) {
    Flight flight =
        Flight.all(MAX_PEEK_BYTES).stream()
            .filter(f -> f.toString().equals("a request for a.example"))
            .findFirst()
            .orElseThrow();
    Client client = new Client(world, clients++, listener, flight.bytes, flight);
    client.plan(atNanos, flight.bytes.length, segmentBytes, MILLI, Client.End.SILENCE);
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
    loop.run();
    witness.end();
  }

  long count(Outcome outcome) {
    return loop.counters().get(outcome);
  }

  long count(Counter counter) {
    return loop.counters().get(counter);
  }

  int openDescriptors() {
    return kernel.openDescriptors();
  }
}
