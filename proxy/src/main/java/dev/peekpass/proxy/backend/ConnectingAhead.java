package dev.peekpass.proxy.backend;

import dev.peekpass.proxy.turn.Turn;
import java.util.ArrayDeque;

/**
 * Connects to new backends before there is a connection for them, some in each turn, so that log
 * and status say at once whether their receivers are there and let the proxy in.
 */
public final class ConnectingAhead {
  /** So many wait for it at most: others are connected to when they are needed. */
  private static final int MOST = 256;

  private static final int MOST_A_TURN = 16;

  private final Turn turn;
  private final ArrayDeque<Backend> backends = new ArrayDeque<>();

  /** Makes one that has nothing to do. */
  public ConnectingAhead(Turn turn) {
    this.turn = turn;
  }

  /** A backend is new. */
  public void add(Backend backend) {
    if (backends.size() < MOST) {
      backends.add(backend);
    }
  }

  /** A backend has gone. */
  public void remove(Backend backend) {
    backends.remove(backend);
  }

  /** Connects to the next ones, if there are any. Each once: what fails is for its clients. */
  public void goOn() {
    for (int i = 0; i < MOST_A_TURN && !backends.isEmpty(); i++) {
      turn.contain(backends.remove()::connectAhead);
    }
    if (!backends.isEmpty()) {
      turn.wakeBy(turn.nowNanos());
    }
  }
}
