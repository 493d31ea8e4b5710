package dev.peekpass.agent;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.DescriptorReceiver;
import dev.peekpass.receiver.HandedOff;
import dev.peekpass.receiver.Receiver;
import dev.peekpass.receiver.ReceiverBuilder;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * A server's listening socket whose connections come through a UNIX socket.
 *
 * <pre>{@code
 * bound ──listen──> listening ──close──> closed
 *   └───────────close──────────────────────^
 * }</pre>
 *
 * <p>While it listens, the server's descriptor number stands for the eventfd of {@link Arrivals}.
 * The server's own TCP socket lives on under another number, as the <i>shadow</i>: it keeps the
 * options, and with {@code +tcp} it listens.
 */
final class CapturedSocket {
  /**
   * How many connections wait here at most, beyond what the server has accepted; one of those that
   * are acknowledged.
   */
  private static final int ARRIVALS_MAX = 64;

  /** The least number that the shadow gets. */
  private static final int NUMBER_MIN = 3;

  private final Pair pair;
  private final InetSocketAddress local;
  private final System.Logger log;

  /** What there is while it listens. */
  private record Listening(
      Kernel kernel,
      Fd shadow,
      Arrivals arrivals,
      AcceptedSocket accepted,
      HandOffIntake handOff,
      @Nullable TcpIntake tcp) {}

  private volatile @Nullable Listening listening;
  private volatile boolean closed;

  /**
   * Notes that the server has bound.
   *
   * @param local what the server shall be told that it has bound
   */
  CapturedSocket(Pair pair, InetSocketAddress local, System.Logger log) {
    this.pair = pair;
    this.local = local;
    this.log = log;
  }

  Pair pair() {
    return pair;
  }

  /** What the server has bound, as it sees it. */
  InetSocketAddress localAddress() {
    return local;
  }

  /** How the TCP socket begins to listen, where it shall. */
  @FunctionalInterface
  interface TcpListen {
    void listen() throws IOException;
  }

  /**
   * Begins to listen: opens the UNIX socket and puts the eventfd in the place of the server's
   * descriptor.
   *
   * @param fd the server's TCP socket; goes on being the server's
   * @param nonBlocking whether the server wants O_NONBLOCK on what it accepts
   * @param tcpListen called where the pair says {@code +tcp}
   * @throws BindException when another receiver has the path
   * @throws IOException when it cannot listen; everything is as it was before
   */
  synchronized void listen(Fd fd, boolean nonBlocking, TcpListen tcpListen) throws IOException {
    if (listening != null) {
      // listen(2) twice changes the backlog, which the UNIX socket does not take from the server.
      return;
    }
    Kernel kernel = LinuxKernel.open();
    DescriptorReceiver receiver = openReceiver();
    Fd shadow = null;
    Arrivals arrivals = null;
    TcpIntake tcp = null;
    try {
      shadow = Fd.of(check("fcntl", kernel.fcntl(fd, Linux.F_DUPFD_CLOEXEC, NUMBER_MIN)));
      arrivals = new Arrivals(LinuxKernel.open(), ARRIVALS_MAX);
      AcceptedSocket accepted = new AcceptedSocket(kernel, shadow, nonBlocking);
      if (pair.tcp()) {
        tcpListen.listen();
        tcp = tcpIntake(kernel, shadow, arrivals);
      }
      replace(kernel, fd, arrivals.readiness());
      HandOffIntake handOff = new HandOffIntake(local.getPort() + " unix", receiver, arrivals, log);
      listening = new Listening(kernel, shadow, arrivals, accepted, handOff, tcp);
      handOff.start();
      if (tcp != null) {
        tcp.start();
      }
    } catch (IOException | RuntimeException | Error e) {
      if (tcp != null) {
        tcp.discard();
      }
      if (arrivals != null) {
        arrivals.close();
      }
      if (shadow != null) {
        kernel.close(shadow);
      }
      receiver.close();
      throw e;
    }
    log.log(
        System.Logger.Level.INFO,
        text(local)
            + (pair.tcp()
                ? " takes connections from itself and from unix:"
                : " takes its connections from unix:")
            + pair.path());
  }

  private static String text(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    boolean v6 = host.indexOf(':') >= 0;
    return (v6 ? "[" + host + "]" : host) + ":" + address.getPort();
  }

  private DescriptorReceiver openReceiver() throws IOException {
    ReceiverBuilder builder = Receiver.builder(pair.path()).type(pair.type()).logger(log);
    if (pair.mode() != null) {
      builder.mode(pair.mode());
    }
    if (pair.owner() != null) {
      builder.owner(pair.owner());
    }
    if (pair.group() != null) {
      builder.group(pair.group());
    }
    pair.uids().forEach(builder::allowUid);
    try {
      return builder.openDescriptors();
    } catch (SystemCallException e) {
      if (e.errno() == Errno.EADDRINUSE) {
        // What servers know how to report.
        BindException inUse = new BindException(e.getMessage());
        inUse.initCause(e);
        throw inUse;
      }
      throw e;
    }
  }

  private TcpIntake tcpIntake(Kernel kernel, Fd shadow, Arrivals arrivals) throws IOException {
    int flags = check("fcntl", kernel.fcntl(shadow, Linux.F_GETFL, 0));
    check("fcntl", kernel.fcntl(shadow, Linux.F_SETFL, flags | Linux.O_NONBLOCK));
    return new TcpIntake(local.getPort() + " tcp", shadow, arrivals);
  }

  /** Lets the server's number stand for another descriptor, in its selectors, too. */
  private static void replace(Kernel kernel, Fd fd, Fd by) throws IOException {
    EpollRegistrations registrations = EpollRegistrations.remove(kernel, fd);
    check("dup3", kernel.dup3(by, fd, Linux.O_CLOEXEC));
    registrations.restore();
  }

  private static int check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(
          call + " for a listening socket",
          -r,
          r == -Errno.EMFILE ? "raise the limit of open descriptors (RLIMIT_NOFILE)" : "");
    }
    return r;
  }

  /** The next connection, the caller's to close; null when there is none. */
  @Nullable HandedOff accept() {
    Listening now = listening;
    return now == null ? null : now.arrivals().poll(now.accepted()::prepare);
  }

  /**
   * The socket that has the options of the server's listening socket. An option may be set on it.
   *
   * @return null when that is the server's own descriptor, because it does not listen yet, or any
   *     more
   */
  @Nullable Fd optionSocket() {
    Listening now = listening;
    if (now == null || closed) {
      return null;
    }
    now.accepted().optionsChange();
    return now.shadow();
  }

  /**
   * Ends listening: the socket file goes, and with it what waits; of what was to be acknowledged
   * the proxy has everything that the server has not accepted. The server's own descriptor is the
   * server's to close. Closing twice does nothing.
   */
  synchronized void close() {
    Listening now = listening;
    if (closed || now == null) {
      closed = true;
      return;
    }
    closed = true;
    now.arrivals().close();
    try {
      now.handOff().close();
    } catch (IOException e) {
      log.log(System.Logger.Level.WARNING, "closing " + text(local), e);
    }
    if (now.tcp() != null) {
      now.tcp().close(now.kernel());
    }
    now.kernel().close(now.shadow());
  }
}
