package dev.peekpass.proxy;

import dev.peekpass.linux.Fd;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.listen.SocketPlan;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What an {@link Operator} has a loop do. It is carried out by the loop's thread, between two
 * events.
 */
sealed interface Order extends Consumer<Loop> {

  /**
   * To go over to another configuration.
   *
   * @param next what the loop makes of it
   * @param configuration what it says
   * @param sockets what the loop listens on from then on; new ones are the loop's once it is done
   */
  record Swap(Generation next, Configuration configuration, List<SocketPlan.Assigned> sockets)
      implements Order {
    @Override
    public void accept(Loop loop) {
      loop.swap(next);
    }
  }

  /** To close a socket that takes only what had begun. */
  record EndClosing(Fd socket) implements Order {
    @Override
    public void accept(Loop loop) {
      loop.endClosing(socket);
    }
  }

  /**
   * To accept no more, since another process does.
   *
   * @param notTaken sockets that the other does not listen on: they take what had begun
   */
  record Abandon(Set<Fd> notTaken) implements Order {
    @Override
    public void accept(Loop loop) {
      loop.abandonSockets(notTaken);
    }
  }

  /** To end once everything that was accepted has its outcome. */
  record Finish() implements Order {
    @Override
    public void accept(Loop loop) {
      loop.finish();
    }
  }

  /** To let the backend of a name get no new connections, or get them again. */
  record Drain(String backend, boolean on) implements Order {
    @Override
    public void accept(Loop loop) {
      loop.setDrained(backend, on);
    }
  }

  /** To put a socket of a backend out of its rotation or back. */
  record Health(BackendConfig backend, int socket, boolean healthy) implements Order {
    @Override
    public void accept(Loop loop) {
      loop.setHealthy(backend, socket, healthy);
    }
  }

  /** To say something. */
  record Ask(Consumer<Loop> question) implements Order {
    @Override
    public void accept(Loop loop) {
      question.accept(loop);
    }
  }
}
