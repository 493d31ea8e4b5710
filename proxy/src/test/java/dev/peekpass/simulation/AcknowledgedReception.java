package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * A receiver's listening seqpacket socket, and the channels to it: the acknowledged hand-off as
 * docs/protocol.md has it, written from that alone. How the receiver behaves is in its {@link
 * Manners}.
 */
final class AcknowledgedReception implements Receiver.Reception {
  private final World world;
  private final Receiver receiver;
  private final String path;
  private final int backlog;
  private final int channelCapacity;
  private final Manners manners;
  private final ArrayDeque<AcknowledgedPeer> waiting = new ArrayDeque<>();
  private final List<AcknowledgedPeer> accepted = new ArrayList<>();
  private final int pid;
  private int openConnections;
  private boolean closed;
  private boolean dead;

  AcknowledgedReception(
      World world,
      Receiver receiver,
      String path,
      int backlog,
      int channelCapacity,
      Manners manners) {
    this.world = world;
    this.receiver = receiver;
    this.path = path;
    this.backlog = backlog;
    this.channelCapacity = channelCapacity;
    this.manners = manners;
    pid = world.nextPid();
  }

  World world() {
    return world;
  }

  Receiver receiver() {
    return receiver;
  }

  String path() {
    return path;
  }

  int channelCapacity() {
    return channelCapacity;
  }

  Manners manners() {
    return manners;
  }

  /** Whether the process has ended. */
  boolean isDead() {
    return dead;
  }

  @Override
  public int type() {
    return Linux.SOCK_SEQPACKET;
  }

  @Override
  public boolean isClosed() {
    return closed;
  }

  @Override
  public int connect(UnixSocket sender) {
    if (waiting.size() > backlog) {
      return -Errno.EAGAIN;
    }
    AcknowledgedPeer peer = new AcknowledgedPeer(this, sender);
    sender.connected(peer);
    sender.peerPid(pid);
    sender.peerUid(receiver.uid());
    waiting.add(peer);
    receiver.onArrival();
    return 0;
  }

  @Override
  public boolean receive() {
    AcknowledgedPeer fresh = waiting.poll();
    if (fresh != null) {
      accepted.add(fresh);
      fresh.accepted();
      return true;
    }
    for (int i = 0; i < accepted.size(); i++) {
      AcknowledgedPeer peer = accepted.get(i);
      if (peer.isOver()) {
        accepted.remove(i);
        return true;
      }
      if (peer.receive()) {
        return true;
      }
    }
    return false;
  }

  /** The oldest channel, accepted first if need be, for tests of the sockets alone. */
  AcknowledgedPeer oldest() {
    AcknowledgedPeer fresh = waiting.poll();
    if (fresh != null) {
      accepted.add(fresh);
      fresh.accepted();
    }
    return accepted.getFirst();
  }

  /** How many more connections it can have open. */
  int room() {
    return manners.maxDescriptors - openConnections;
  }

  /** It has so many connections more. */
  void opened(int connections) {
    openConnections += connections;
  }

  /** It has one connection less. */
  void closedOne() {
    openConnections--;
    receiver.onArrival();
  }

  @Override
  public boolean closeOneChannel() {
    if (accepted.isEmpty()) {
      return false;
    }
    accepted.removeFirst().giveUp();
    return true;
  }

  @Override
  public boolean drain() {
    closed = true;
    waiting.forEach(AcknowledgedPeer::giveUp);
    waiting.clear();
    List.copyOf(accepted).forEach(AcknowledgedPeer::drain);
    return true;
  }

  @Override
  public void close() {
    closed = true;
    dead = true;
    waiting.forEach(AcknowledgedPeer::die);
    waiting.clear();
    accepted.forEach(AcknowledgedPeer::die);
    accepted.clear();
  }
}
