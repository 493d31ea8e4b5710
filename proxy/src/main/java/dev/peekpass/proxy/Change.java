package dev.peekpass.proxy;

import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.connection.AccessLog;
import dev.peekpass.proxy.listen.SocketPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A configuration that the loops are to go over to, with all that was opened for it: sockets and
 * access logs. Each loop's part is the loop's once it has it, and given back if it never does.
 */
final class Change {
  /** Makes an access log. */
  interface Logs {
    /**
     * Makes one for a loop, whose writing thread runs.
     *
     * @throws SystemCallException when there can be no such thread
     */
    AccessLog start(Loop loop, boolean enabled) throws SystemCallException;
  }

  final Configuration configuration;
  final SocketPlan plan;

  /** The names of drained backends that the configuration has. */
  final Set<String> drained;

  private final List<Generation> generations = new ArrayList<>();

  /** By loop: the log that was started for it, or null where it keeps the one it has. */
  private final List<@Nullable AccessLog> started = new ArrayList<>();

  private Change(Configuration configuration, SocketPlan plan, Set<String> drained) {
    this.configuration = configuration;
    this.plan = plan;
    this.drained = drained;
  }

  /**
   * Prepares what each loop makes of a configuration.
   *
   * @param before what the loops have, in their order; none at the start
   * @param plan its sockets; what it opened is closed when this fails
   * @throws SystemCallException when an access log cannot be started
   */
  static Change of(
      List<Loop> loops,
      List<Generation> before,
      Configuration configuration,
      SocketPlan plan,
      Set<String> drained,
      Logs logs)
      throws SystemCallException {
    Change change = new Change(configuration, plan, Set.copyOf(drained));
    boolean whole = false;
    try {
      for (int i = 0; i < loops.size(); i++) {
        change.add(loops.get(i), i, before.isEmpty() ? null : before.get(i), logs);
      }
      whole = true;
    } finally {
      if (!whole) {
        plan.discard();
        change.started.forEach(Change::close);
      }
    }
    return change;
  }

  private void add(Loop loop, int index, @Nullable Generation before, Logs logs)
      throws SystemCallException {
    boolean keeps = before != null && before.accessLog().isEnabled() == configuration.accessLog();
    AccessLog log =
        before != null && keeps ? before.accessLog() : logs.start(loop, configuration.accessLog());
    started.add(keeps ? null : log);
    generations.add(new Generation(loop, before, configuration, plan.ofLoop(index), drained, log));
  }

  private static void close(@Nullable AccessLog log) {
    if (log != null) {
      log.close();
    }
  }

  /** What each loop makes of it. */
  List<Generation> generations() {
    return List.copyOf(generations);
  }

  /** What one loop is to do. */
  Order.Swap order(int loop) {
    return new Order.Swap(generations.get(loop), configuration, plan.ofLoop(loop));
  }

  /**
   * Closes what was opened for a loop that has not gone over to it and never will. The log that it
   * has had before stays its own.
   */
  void giveBack(int loop, Kernel kernel) {
    plan.openedForLoop(loop).forEach(socket -> kernel.close(socket.fd()));
    close(started.get(loop));
  }
}
