package dev.peekpass.proxy.listen;

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
import org.jspecify.annotations.Nullable;

/**
 * A listening TCP socket and what it is bound to.
 *
 * @param bind the address in the configuration that it was opened for, whose port may be 0
 * @param address what it is bound to
 * @param port the real port
 * @param fd owned by the holder of this value
 * @param shared whether the same socket is listened on by other loops too, each with a descriptor
 *     of its own
 */
public record BoundSocket(BindAddress bind, IpAddress address, int port, Fd fd, boolean shared) {
  /** What TCP_DEFER_ACCEPT is set to: the kernel keeps a silent client to itself this long. */
  public static final int DEFER_ACCEPT_SECONDS = 1;

  private static final String REMEDY_IN_USE =
      "another process listens there: stop it, or bind another port (ss -ltnp shows which)";
  private static final String REMEDY_DENIED =
      "ports below 1024 need CAP_NET_BIND_SERVICE: start it as root with user: in the configuration,"
          + " or with AmbientCapabilities=CAP_NET_BIND_SERVICE in its unit";
  private static final String REMEDY_NO_ADDRESS =
      "this host has no such address: correct it, or bind 0.0.0.0 or [::]";

  /** How a port is shared between the sockets of several loops (SO_REUSEPORT, socket(7)). */
  public enum Sharing {
    /** It is not. */
    ALONE,
    /**
     * Others follow. Bound without SO_REUSEPORT, so that a port that another process already shares
     * is an error and not a silent split of its traffic.
     */
    FIRST,
    /** One of ours is bound already. */
    FURTHER
  }

  /** The address it is bound to, with the real port. */
  public String label() {
    return new BindAddress(address, port).toString();
  }

  /**
   * Opens a socket, binds it and listens.
   *
   * @param port 0 lets the kernel choose
   * @return owned by the caller
   * @throws SystemCallException with nothing left open
   */
  public static BoundSocket open(
      Kernel kernel,
      ListenerConfig config,
      BindAddress bind,
      IpAddress address,
      int port,
      Sharing sharing)
      throws SystemCallException {
    boolean v6 = !address.isIpv4();
    int type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(v6 ? Linux.AF_INET6 : Linux.AF_INET, type, 0);
    if (r < 0) {
      throw new SystemCallException("socket for " + address, -r, remedy(-r));
    }
    Fd fd = Fd.of(r);
    boolean whole = false;
    try {
      option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEADDR, 1, "SO_REUSEADDR");
      if (v6) {
        option(kernel, fd, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY, 1, "IPV6_V6ONLY");
      }
      if (sharing == Sharing.FURTHER) {
        option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1, "SO_REUSEPORT");
      }
      SockAddr name = new SockAddr();
      name.inet(address.high(), address.low(), port);
      check("bind " + name, kernel.bind(fd, name));
      if (sharing == Sharing.FIRST) {
        option(kernel, fd, Linux.SOL_SOCKET, Linux.SO_REUSEPORT, 1, "SO_REUSEPORT");
      }
      if (defers(config)) {
        int seconds = DEFER_ACCEPT_SECONDS;
        option(kernel, fd, Linux.IPPROTO_TCP, Linux.TCP_DEFER_ACCEPT, seconds, "TCP_DEFER_ACCEPT");
      }
      check("listen " + name, kernel.listen(fd, config.backlog()));
      check("getsockname " + name, kernel.getsockname(fd, name));
      whole = true;
      return new BoundSocket(bind, address, name.port(), fd, false);
    } finally {
      if (!whole) {
        kernel.close(fd);
      }
    }
  }

  /**
   * Makes a listening socket of a descriptor that another process opened.
   *
   * @param fd goes on being owned by the caller; made non-blocking and close-on-exec
   * @param bind the address in the configuration that it was opened for, or null when nobody knows
   * @throws SystemCallException when it is no listening TCP socket
   */
  public static BoundSocket inherited(Kernel kernel, Fd fd, @Nullable BindAddress bind)
      throws SystemCallException {
    SockAddr name = new SockAddr();
    check("getsockname of inherited " + fd, kernel.getsockname(fd, name));
    boolean tcp = name.family() == Linux.AF_INET || name.family() == Linux.AF_INET6;
    if (!tcp || kernel.getsockopt(fd, Linux.SOL_SOCKET, Linux.SO_ACCEPTCONN) != 1) {
      throw new SystemCallException(
          "inherited " + fd + " (" + name + ")",
          Errno.EINVAL,
          "it is no listening TCP socket: pass only ListenStream= sockets with IP addresses");
    }
    int flags = kernel.fcntl(fd, Linux.F_GETFL, 0);
    check("fcntl F_GETFL", flags);
    check("fcntl F_SETFL", kernel.fcntl(fd, Linux.F_SETFL, flags | Linux.O_NONBLOCK));
    check("fcntl F_SETFD", kernel.fcntl(fd, Linux.F_SETFD, Linux.FD_CLOEXEC));
    // One that ended in the middle of closing it may have left its filter on, by which nobody
    // comes.
    kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_DETACH_FILTER, 0);
    // What is accepted from it inherits that, too, and close(2) would wait.
    kernel.setLinger(fd, false, 0);
    IpAddress address = new IpAddress(name.high(), name.low());
    BindAddress for0 = bind == null ? new BindAddress(address, name.port()) : bind;
    return new BoundSocket(for0, address, name.port(), fd, false);
  }

  /** Whether it takes IPv4 connections too, as a socket of {@code [::]} may that others opened. */
  public boolean isDualStack(Kernel kernel) {
    return address.isIpv6Any() && kernel.getsockopt(fd, Linux.IPPROTO_IPV6, Linux.IPV6_V6ONLY) == 0;
  }

  /** Sets on a socket that listens already what a configuration says; returns 0 or -errno. */
  public int configure(Kernel kernel, ListenerConfig config) {
    int seconds = defers(config) ? DEFER_ACCEPT_SECONDS : 0;
    int r = kernel.setsockopt(fd, Linux.IPPROTO_TCP, Linux.TCP_DEFER_ACCEPT, seconds);
    return r < 0 ? r : kernel.listen(fd, config.backlog());
  }

  private static boolean defers(ListenerConfig config) {
    return config.deferAccept() && config.peek() == PeekMode.AUTO;
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
