package dev.peekpass.simulation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A backend's process: binds a path, receives promptly, late or never, holds what it received for a
 * while, dies, and comes back, perhaps with a socket of another type.
 */
public final class Receiver {

  /** Its socket. */
  interface Reception extends UnixPaths.Bound {
    /** Accepts a connection or takes a message; returns false when there is nothing to do. */
    boolean receive();

    /** Closes the oldest connection to it; returns false when there is none. */
    boolean closeOneChannel();

    /** Begins to drain; returns false when it does not know how. */
    default boolean drain() {
      return false;
    }

    /** Closes it and all connections to it; what was queued is lost. */
    void close();
  }

  private final World world;
  private final UnixPaths paths;
  private final String path;
  private final long delayNanos;
  private final int burst;
  private final long holdNanos;
  private final ArrayDeque<TcpConnection> held = new ArrayDeque<>();
  private @Nullable Reception reception;
  private boolean frozen;
  private boolean working;
  private int uid;
  private boolean lingers;
  private int life;
  private int drains;
  private int channelsEnded;
  private int breaches;

  /** What drains while its successor may have the path. */
  private final List<Reception> draining = new ArrayList<>();

  /** What it was about to do when it froze. */
  private final List<Runnable> onThaw = new ArrayList<>();

  /**
   * Makes a receiver that is not running.
   *
   * @param delayNanos how long it takes to look after what arrives
   * @param burst how much it does then
   * @param holdNanos how long it keeps a connection at most
   */
  public Receiver(
      World world, UnixPaths paths, String path, long delayNanos, int burst, long holdNanos) {
    this.world = world;
    this.paths = paths;
    this.path = path;
    this.delayNanos = delayNanos;
    this.burst = burst;
    this.holdNanos = holdNanos;
  }

  /**
   * Plans that it listens on a stream socket.
   *
   * @param backlog how many connections wait to be accepted, less one
   * @param channelCapacity how many messages fit into one connection
   */
  public void planStream(long nanos, int backlog, int channelCapacity) {
    world.after(
        nanos, this, "listens on a stream socket", () -> startStream(backlog, channelCapacity));
  }

  /** Listens on a stream socket: {@link #planStream}. */
  public void startStream(int backlog, int channelCapacity) {
    start(new StreamReception(this, path, backlog, channelCapacity));
  }

  /**
   * Plans that it binds a datagram socket.
   *
   * @param maxQueue how many messages fit into it, less one
   */
  public void planDatagram(long nanos, int maxQueue) {
    world.after(nanos, this, "binds a datagram socket", () -> startDatagram(maxQueue));
  }

  /** Binds a datagram socket: {@link #planDatagram}. */
  public void startDatagram(int maxQueue) {
    start(new DatagramReception(this, path, maxQueue));
  }

  /**
   * Plans that it listens on a seqpacket socket and acknowledges.
   *
   * @param backlog as for a stream
   * @param channelCapacity as for a stream
   */
  public void planAcknowledged(long nanos, int backlog, int channelCapacity, Manners manners) {
    world.after(
        nanos,
        this,
        "listens on a seqpacket socket",
        () -> startAcknowledged(backlog, channelCapacity, manners));
  }

  /** Listens on a seqpacket socket: {@link #planAcknowledged}. */
  public void startAcknowledged(int backlog, int channelCapacity, Manners manners) {
    start(new AcknowledgedReception(world, this, path, backlog, channelCapacity, manners));
  }

  /** Plans that it drains, if it knows how; another may come at its path at once. */
  public void planDrain(long nanos, boolean unlink) {
    world.after(nanos, this, "drains", () -> drain(unlink));
  }

  private void drain(boolean unlink) {
    Reception was = reception;
    if (was != null && !frozen && was.drain()) {
      reception = null;
      drains++;
      draining.add(was);
      if (unlink) {
        paths.unlink(path);
      }
    }
  }

  /** One of its processes is killed. */
  void kill(Reception one) {
    if (one.equals(reception)) {
      die(false);
    } else if (draining.remove(one)) {
      one.close();
    }
  }

  /** Does something later, or when it thaws. */
  void later(long delayNanos, String what, Runnable action) {
    world.after(delayNanos, this, what, () -> unlessFrozen(action));
  }

  private void unlessFrozen(Runnable action) {
    if (frozen) {
      onThaw.add(action);
    } else {
      action.run();
    }
  }

  /** Its process is a user's, 0 by default, whom the proxy trusts. */
  public void user(int number) {
    uid = number;
  }

  /** Whose its process is. */
  int uid() {
    return uid;
  }

  /** It sets SO_LINGER now and then. */
  public void lingers() {
    lingers = true;
  }

  /**
   * A receiver that is trusted may have SO_LINGER on a connection as soon as it is offered: so that
   * nobody can rely on when.
   */
  void mayLingerFromNow(TcpConnection connection) {
    if (lingers && uid == 0 && world.chance().hits(5000)) {
      connection.linger();
    }
  }

  /** One that is not sets it when it wins most by it: just before it closes its own descriptor. */
  void mayLingerAtTheEnd(TcpConnection connection) {
    if (lingers && uid != 0 && world.chance().hits(5000)) {
      connection.linger();
    }
  }

  /** It breaks the protocol. */
  void onBreach() {
    breaches++;
  }

  /** How many times it broke the protocol. */
  public int breaches() {
    return breaches;
  }

  /** Plans its death. */
  public void planDeath(long nanos, boolean unlink) {
    world.after(
        nanos, this, unlink ? "ends and removes its socket" : "is killed", () -> die(unlink));
  }

  /** Plans that it receives nothing for a time. */
  public void planFreeze(long nanos, long forNanos) {
    world.after(nanos, this, "freezes", this::freeze);
    world.after(nanos + forNanos, this, "thaws", this::thaw);
  }

  /** Plans that it closes its oldest connection to a sender. */
  public void planCloseOfChannel(long nanos) {
    world.after(
        nanos,
        this,
        "closes a connection",
        () -> {
          Reception now = reception;
          if (now != null) {
            now.closeOneChannel();
          }
        });
  }

  private void start(Reception fresh) {
    if (reception == null) {
      reception = fresh;
      paths.bind(path, fresh);
    }
  }

  /** Ends as a killed process does: the kernel closes all it had. */
  public void die(boolean unlink) {
    Reception was = reception;
    if (was != null) {
      reception = null;
      life++;
      was.close();
      held.forEach(this::mayLingerAtTheEnd);
      held.forEach(TcpConnection::drop);
      held.clear();
      if (unlink) {
        paths.unlink(path);
      }
    }
  }

  /** Receives nothing by itself from now on. */
  public void freeze() {
    frozen = true;
  }

  /** Accepts its oldest seqpacket channel, however frozen, and sends bytes over it. */
  public void say(byte[] bytes) {
    oldest().say(bytes);
  }

  /** Accepts its oldest seqpacket channel, however frozen, and shuts it down for reading. */
  public void shutReading() {
    oldest().shutReading();
  }

  private AcknowledgedPeer oldest() {
    if (reception instanceof AcknowledgedReception acknowledged) {
      return acknowledged.oldest();
    }
    throw new IllegalStateException(this + " has no seqpacket socket");
  }

  /** Receives a message, however frozen; returns false when there is none. */
  public boolean receiveMessage() {
    Reception now = reception;
    if (now instanceof AcknowledgedReception) {
      return oldest().discard();
    }
    int before = held.size();
    while (now != null && now.receive()) {
      if (held.size() > before) {
        return true;
      }
    }
    return false;
  }

  private void thaw() {
    frozen = false;
    List<Runnable> late = List.copyOf(onThaw);
    onThaw.clear();
    late.forEach(this::unlessFrozen);
    onArrival();
  }

  /** A sender's connection to it, or socket, has lost its other end. */
  void onChannelEnded() {
    channelsEnded++;
  }

  /** How often it has begun to drain, for which it has a time. */
  public int drains() {
    return drains;
  }

  /** How many times a sender's connection or socket lost its other end. */
  public int channelsEnded() {
    return channelsEnded;
  }

  /** There is something to receive. */
  void onArrival() {
    if (!working) {
      working = true;
      world.after(world.chance().below(delayNanos + 1), this, "looks", this::work);
    }
  }

  private void work() {
    working = false;
    for (int i = 0; i < burst; i++) {
      if (frozen || !receiveOne()) {
        return;
      }
    }
    onArrival();
  }

  private boolean receiveOne() {
    Reception now = reception;
    if (now != null && now.receive()) {
      return true;
    }
    for (Reception old : List.copyOf(draining)) {
      if (old.receive()) {
        return true;
      }
    }
    return false;
  }

  /** Has a message in its hands. */
  void take(Parcel parcel) {
    List<TcpConnection> taken = new ArrayList<>(parcel.connections());
    for (TcpConnection connection : taken) {
      connection.received();
      held.add(connection);
      int now = life;
      world.after(
          world.chance().below(holdNanos + 1),
          this,
          "is done with the " + connection,
          () -> finish(connection, now));
    }
  }

  private void finish(TcpConnection connection, int inLife) {
    if (life == inLife && held.remove(connection)) {
      connection.receive(null, Integer.MAX_VALUE, false);
      mayLingerAtTheEnd(connection);
      connection.drop();
    }
  }

  @Override
  public String toString() {
    return "receiver at " + path;
  }
}
