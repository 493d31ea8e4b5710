package dev.peekpass.proxy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.config.BindAddress;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.PeekMode;
import dev.peekpass.proxy.route.IpAddress;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A listening TCP socket, bound and not yet given to a loop.
 *
 * <p>{@code [::]} is bound as two sockets, one for IPv6 alone and one for IPv4. A client of IPv4
 * then has an IPv4 socket, which is what its backend would have got from accept; on one socket for
 * both it would be an IPv6 socket with a mapped address, which some receivers mistake.
 *
 * @param config the listener it belongs to
 * @param fd owned by the holder of this value
 * @param label the address it is bound to, with the real port
 */
record ListenerSocket(ListenerConfig config, Fd fd, String label) {
  private static final Logger LOG = LoggerFactory.getLogger(ListenerSocket.class);

  private static final String REMEDY_IN_USE =
      "another process listens there: stop it, or bind another port (ss -ltnp shows which)";
  private static final String REMEDY_DENIED =
      "ports below 1024 need CAP_NET_BIND_SERVICE: run as root, or setcap or AmbientCapabilities=";
  private static final String REMEDY_NO_ADDRESS =
      "this host has no such address: correct it, or bind 0.0.0.0 or [::]";

  /** How often another free port is looked for when both families must share one. */
  private static final int MAX_PORT_TRIES = 16;

  /**
   * Opens a listener's sockets, one for each address and loop.
   *
   * @param loops how many loops share the listener; each gets a socket of its own, and the kernel
   *     spreads connections over them (SO_REUSEPORT, socket(7))
   * @return the sockets of loop 0, then of loop 1, and so on; the caller owns them
   * @throws SystemCallException with nothing left open
   */
  static List<List<ListenerSocket>> open(Kernel kernel, ListenerConfig config, int loops)
      throws SystemCallException {
    List<ListenerSocket> all = new ArrayList<>();
    List<List<ListenerSocket>> byLoop = new ArrayList<>();
    try {
      for (int loop = 0; loop < loops; loop++) {
        byLoop.add(new ArrayList<>());
      }
      for (BindAddress bind : config.bind()) {
        int port = bind.port();
        for (int loop = 0; loop < loops; loop++) {
          List<ListenerSocket> opened = openFamilies(kernel, config, bind, port, loop, loops);
          all.addAll(opened);
          byLoop.get(loop).addAll(opened);
          port = boundPort(kernel, opened.getFirst().fd);
        }
      }
      return byLoop;
    } catch (SystemCallException e) {
      all.forEach(socket -> kernel.close(socket.fd));
      throw e;
    }
  }

  /** Opens one loop's socket for an address, or its two for {@code [::]}, on the same port. */
  private static List<ListenerSocket> openFamilies(
      Kernel kernel, ListenerConfig config, BindAddress bind, int port, int loop, int loops)
      throws SystemCallException {
    boolean both = bind.address().isIpv6Any() && !config.ipv6Only();
    List<IpAddress> addresses =
        both ? List.of(bind.address(), IpAddress.ofIpv4(0)) : List.of(bind.address());
    for (int tries = 1; ; tries++) {
      List<ListenerSocket> opened = new ArrayList<>();
      try {
        int p = port;
        for (IpAddress address : addresses) {
          ListenerSocket socket = openOne(kernel, config, address, p, loops > 1, loop == 0);
          opened.add(socket);
          p = boundPort(kernel, socket.fd);
        }
        return opened;
      } catch (SystemCallException e) {
        opened.forEach(socket -> kernel.close(socket.fd));
        if (both && addresses.size() > 1 && hasNoIpv6(e.errno())) {
          LOG.warn("this host has no IPv6: {} is bound for IPv4 only", bind);
          addresses = addresses.subList(1, 2);
          continue;
        }
        // The port that the kernel chose for one family may be taken in the other.
        boolean luck = port == 0 && both && e.errno() == Errno.EADDRINUSE;
        if (!luck || tries == MAX_PORT_TRIES) {
          throw e;
        }
      }
    }
  }

  private static boolean hasNoIpv6(int errno) {
    return errno == Errno.EAFNOSUPPORT || errno == Errno.EADDRNOTAVAIL;
  }

  private static ListenerSocket openOne(
      Kernel kernel,
      ListenerConfig config,
      IpAddress address,
      int port,
      boolean shared,
      boolean first)
      throws SystemCallException {
    boolean v6 = !address.isIpv4();
    int type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(v6 ? Linux.AF_INET6 : Linux.AF_INET, type, 0);
    if (r < 0) {
      throw new SystemCallException("socket for " + address, -r, remedy(-r));
    }
    Fd fd = Fd.of(r);
    try {
      option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEADDR, 1, "SO_REUSEADDR");
      if (v6) {
        option(kernel, fd, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, 1, "IPV6_V6ONLY");
      }
      // The first socket is bound without SO_REUSEPORT, so that a port that another process already
      // shares is an error and not a silent split of its traffic.
      if (shared && !first) {
        option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1, "SO_REUSEPORT");
      }
      SockAddr name = new SockAddr();
      name.inet(address.high(), address.low(), port);
      check("bind " + name, kernel.bind(fd, name));
      if (shared && first) {
        option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1, "SO_REUSEPORT");
      }
      if (config.deferAccept() && config.peek() == PeekMode.AUTO) {
        int seconds = Listener.DEFER_ACCEPT_SECONDS;
        option(kernel, fd, Linux.IPPROTO_TCP, Linux.TCP_DEFER_ACCEPT, seconds, "TCP_DEFER_ACCEPT");
      }
      check("listen " + name, kernel.listen(fd, config.backlog()));
      check("getsockname " + name, kernel.getsockname(fd, name));
      return new ListenerSocket(config, fd, name.toString());
    } catch (SystemCallException e) {
      kernel.close(fd);
      throw e;
    }
  }

  private static void option(
      Kernel kernel, Fd fd, int level, int option, int value, String optionName)
      throws SystemCallException {
    check("setsockopt " + optionName, kernel.setsockopt(fd, level, option, value));
  }

  private static void check(String call, int result) throws SystemCallException {
    if (result < 0) {
      throw new SystemCallException(call, -result, remedy(-result));
    }
  }

  private static int boundPort(Kernel kernel, Fd fd) throws SystemCallException {
    SockAddr name = new SockAddr();
    check("getsockname", kernel.getsockname(fd, name));
    return name.port();
  }

  private static String remedy(int errno) {
    return switch (errno) {
      case Errno.EADDRINUSE -> REMEDY_IN_USE;
      case Errno.EACCES -> REMEDY_DENIED;
      case Errno.EADDRNOTAVAIL -> REMEDY_NO_ADDRESS;
      case Errno.EAFNOSUPPORT -> "this kernel has no IPv6: bind 0.0.0.0 instead";
      case Errno.EMFILE, Errno.ENFILE -> "raise the limit of open files (ulimit -n)";
      default -> "";
    };
  }
}
