package dev.peekpass.proxy.listen;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.listen.BoundSocket.Sharing;
import dev.peekpass.proxy.route.IpAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which socket each loop listens on under a configuration: those that are there already, by their
 * address, and new ones for what is missing. Either all are there in the end or nothing was opened.
 *
 * <p>Every loop gets a socket of its own for each address, and the kernel spreads connections over
 * them (SO_REUSEPORT, socket(7)). Where an address was inherited with fewer sockets than there are
 * loops, loops share one: sockets beside it would not outlive this process with it.
 *
 * <p>{@code [::]} is bound as two sockets, one for IPv6 alone and one for IPv4. A client of IPv4
 * then has an IPv4 socket, which is what its backend would have got from accept; on one socket for
 * both it would be an IPv6 socket with a mapped address, which some receivers mistake.
 */
public final class SocketPlan {
  private static final Logger LOG = LoggerFactory.getLogger(SocketPlan.class);

  /** {@link Held#loop} of a socket that no loop has yet. */
  public static final int NO_LOOP = -1;

  /** How often another free port is looked for when both families must share one. */
  private static final int MAX_PORT_TRIES = 16;

  /**
   * A socket that is there already.
   *
   * @param loop the loop that listens on it, or {@link #NO_LOOP}
   */
  public record Held(BoundSocket socket, int loop) {}

  /** A socket under a configuration. */
  public record Assigned(ListenerConfig config, BoundSocket socket) {}

  /** Lets sockets that are there already share their port with new ones. */
  public interface Reuse {
    /** Sets SO_REUSEPORT of all that are there on one port. */
    void allow(List<Held> onePort);
  }

  private record Placement(int loop, Assigned assigned, boolean opened) {}

  private final Kernel kernel;
  private final int loops;
  private final List<Held> held;
  private final Reuse reuse;
  private final List<Placement> placements = new ArrayList<>();
  private final Set<Held> used = new HashSet<>();

  private SocketPlan(Kernel kernel, int loops, List<Held> held, Reuse reuse) {
    this.kernel = kernel;
    this.loops = loops;
    this.held = List.copyOf(held);
    this.reuse = reuse;
  }

  /**
   * Makes a plan, opening what is missing.
   *
   * @param held what is there already; stays its owner's
   * @throws SystemCallException when a socket cannot be opened; nothing new is left open
   */
  public static SocketPlan of(
      Kernel kernel, Configuration configuration, int loops, List<Held> held, Reuse reuse)
      throws SystemCallException {
    SocketPlan plan = new SocketPlan(kernel, loops, held, reuse);
    boolean whole = false;
    try {
      for (ListenerConfig listener : configuration.listeners()) {
        for (BindAddress bind : listener.bind()) {
          plan.place(listener, bind);
        }
      }
      whole = true;
      return plan;
    } finally {
      if (!whole) {
        plan.discard();
      }
    }
  }

  /** What a loop listens on. */
  public List<Assigned> ofLoop(int loop) {
    return placements.stream().filter(p -> p.loop == loop).map(Placement::assigned).toList();
  }

  /** What a loop gets that it did not have; owned by the caller until it is. */
  public List<BoundSocket> openedForLoop(int loop) {
    return placements.stream()
        .filter(p -> p.loop == loop && p.opened)
        .map(p -> p.assigned.socket)
        .toList();
  }

  /** All of it, as what is there from now on. */
  public List<Held> all() {
    return placements.stream().map(p -> new Held(p.assigned.socket, p.loop)).toList();
  }

  /** What was there and is not listened on. */
  public List<Held> unused() {
    return held.stream().filter(h -> !used.contains(h)).toList();
  }

  /** The addresses, each once, in the order of the configuration. */
  public List<String> labels() {
    List<String> labels = new ArrayList<>();
    for (Placement p : placements) {
      String label = p.assigned.socket.label();
      if (!labels.contains(label)) {
        labels.add(label);
      }
    }
    return labels;
  }

  /** Closes what was opened. */
  public void discard() {
    undo(0);
  }

  private void place(ListenerConfig config, BindAddress bind) throws SystemCallException {
    boolean both = bind.address().isIpv6Any() && !config.ipv6Only();
    List<IpAddress> addresses =
        both ? List.of(bind.address(), IpAddress.ofIpv4(0)) : List.of(bind.address());
    int mark = placements.size();
    for (int tries = 1; ; tries++) {
      try {
        placeFamilies(config, bind, addresses);
        return;
      } catch (SystemCallException e) {
        undo(mark);
        if (both && addresses.size() > 1 && hasNoIpv6(e.errno())) {
          LOG.warn("this host has no IPv6: {} is bound for IPv4 only", bind);
          addresses = addresses.subList(1, 2);
          continue;
        }
        // The port that the kernel chose for one family may be taken in the other.
        boolean luck = bind.port() == 0 && both && e.errno() == Errno.EADDRINUSE;
        if (!luck || tries == MAX_PORT_TRIES) {
          throw e;
        }
      }
    }
  }

  private void placeFamilies(ListenerConfig config, BindAddress bind, List<IpAddress> addresses)
      throws SystemCallException {
    int port = bind.port();
    for (IpAddress address : addresses) {
      BoundSocket placed = placeOne(config, bind, address, port);
      port = placed.port();
      if (placed.isDualStack(kernel)) {
        LOG.warn(
            "{} was inherited as one socket for both families: backends see IPv4 clients with"
                + " mapped addresses; inherit [::] as IPv6 only (BindIPv6Only=ipv6-only), and"
                + " 0.0.0.0 beside it",
            placed.label());
        return;
      }
    }
  }

  private static boolean hasNoIpv6(int errno) {
    return errno == Errno.EAFNOSUPPORT || errno == Errno.EADDRNOTAVAIL;
  }

  private BoundSocket placeOne(ListenerConfig config, BindAddress bind, IpAddress address, int port)
      throws SystemCallException {
    for (Held h : held) {
      BoundSocket s = h.socket;
      boolean fits = port == 0 ? s.bind().equals(bind) : s.port() == port;
      if (fits && s.address().equals(address) && !used.contains(h)) {
        take(config, address, s.port());
        return s;
      }
    }
    return open(config, bind, address, port);
  }

  /** Spreads all that is there for an address over the loops. */
  private void take(ListenerConfig config, IpAddress address, int port) throws SystemCallException {
    List<Held> sockets = new ArrayList<>();
    for (Held h : held) {
      if (h.socket.address().equals(address) && h.socket.port() == port && !used.contains(h)) {
        sockets.add(h);
      }
    }
    int[] perLoop = new int[loops];
    sockets.forEach(h -> {
      if (h.loop != NO_LOOP) {
        perLoop[h.loop]++;
      }
    });
    boolean share = sockets.size() < loops;
    for (Held h : sockets) {
      int loop = h.loop == NO_LOOP ? leastOf(perLoop) : h.loop;
      if (h.loop == NO_LOOP) {
        perLoop[loop]++;
      }
      used.add(h);
      add(config, loop, share ? shared(h.socket, h.socket.fd()) : h.socket, false);
    }
    for (int loop = 0; loop < loops; loop++) {
      if (perLoop[loop] == 0) {
        BoundSocket source = sockets.getFirst().socket;
        int r = kernel.fcntl(source.fd(), Linux.F_DUPFD_CLOEXEC, 0);
        if (r < 0) {
          throw new SystemCallException(
              "fcntl F_DUPFD_CLOEXEC " + source.label(), -r, "raise the limit of open files");
        }
        add(config, loop, shared(source, Fd.of(r)), true);
      }
    }
  }

  private static int leastOf(int[] perLoop) {
    int least = 0;
    for (int i = 1; i < perLoop.length; i++) {
      least = perLoop[i] < perLoop[least] ? i : least;
    }
    return least;
  }

  private static BoundSocket shared(BoundSocket socket, Fd fd) {
    return new BoundSocket(socket.bind(), socket.address(), socket.port(), fd, true);
  }

  private BoundSocket open(ListenerConfig config, BindAddress bind, IpAddress address, int port)
      throws SystemCallException {
    BoundSocket first;
    try {
      first =
          BoundSocket.open(
              kernel, config, bind, address, port, loops > 1 ? Sharing.FIRST : Sharing.ALONE);
    } catch (SystemCallException e) {
      // One of our own may be in the way: 0.0.0.0:80 that gives way to 192.0.2.1:80.
      if (e.errno() != Errno.EADDRINUSE || !letShare(port)) {
        throw e;
      }
      first = BoundSocket.open(kernel, config, bind, address, port, Sharing.FURTHER);
    }
    add(config, 0, first, true);
    for (int loop = 1; loop < loops; loop++) {
      BoundSocket further =
          BoundSocket.open(kernel, config, bind, address, first.port(), Sharing.FURTHER);
      add(config, loop, further, true);
    }
    return first;
  }

  /** Lets our own sockets of a port share it; returns whether there is any. */
  private boolean letShare(int port) {
    List<Held> ours = held.stream().filter(h -> h.socket.port() == port).toList();
    if (ours.isEmpty()) {
      return false;
    }
    reuse.allow(ours);
    return true;
  }

  private void add(ListenerConfig config, int loop, BoundSocket socket, boolean opened) {
    placements.add(new Placement(loop, new Assigned(config, socket), opened));
  }

  private void undo(int mark) {
    while (placements.size() > mark) {
      Placement last = placements.removeLast();
      if (last.opened) {
        kernel.close(last.assigned.socket.fd());
      } else {
        used.removeIf(h -> h.socket.fd().equals(last.assigned.socket.fd()));
      }
    }
  }
}
