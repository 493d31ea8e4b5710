package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SystemCallException;
import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.zone.ZoneRules;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Receives the connections that a proxy hands off, as a server socket accepts those of clients.
 *
 * {@snippet lang = java:
 * try (Receiver receiver = Receiver.builder(Path.of("/run/app.sock")).open()) {
 *   receiver.serve(connection -> connection.write(ByteBuffer.wrap("hello\n".getBytes(UTF_8))));
 * }
 * }
 *
 * <p><b>Pull.</b> There is no thread behind it. {@link #accept} waits, receives and checks; while
 * nobody calls it, connections wait in the kernel's queues and, when these are full, with the
 * proxy.
 *
 * <p><b>Threads.</b> All methods may be called from any thread. One {@code accept} works at a time,
 * others queue behind it. It waits in a system call, so call it from a platform thread: a virtual
 * one would keep its carrier.
 *
 * <p><b>Ownership.</b> A channel returned is the application's to close. Everything received and
 * not returned is closed here.
 */
public final class Receiver implements Closeable {
  private static final System.Logger LOG = System.getLogger(Receiver.class.getName());
  private static final long JUNK_LOG_INTERVAL_NANOS = 1_000_000_000L;

  /**
   * Classes that are first used when something comes in. To name them here loads them with this
   * one: loading takes a descriptor, and a class that could not be loaded at the limit never can be
   * again.
   */
  @SuppressWarnings("unused")
  private static final List<Class<?>> LOADED_EARLY =
      List.of(Errno.class, PeerCredentials.class, Inspection.Kind.class, Statistics.class);

  /**
   * Asked for early as well, since loggers write the time: a JDK that could not read the time zones
   * when it first wanted to never has them.
   */
  @SuppressWarnings("unused")
  private static final ZoneRules TIME_ZONE = ZoneId.systemDefault().getRules();

  /** What the builder has gathered. */
  record Settings(
      Path path,
      SocketType type,
      SocketAccess access,
      Set<Integer> allowedUids,
      int backlog,
      int unixConnectionsMax) {
    Settings {
      allowedUids = Set.copyOf(allowedUids);
    }
  }

  private final Kernel kernel;

  /** For {@link #close}, which works while another thread waits in {@code kernel}. */
  private final Kernel closingKernel;

  private final ChannelAdopter adopter;
  private final HandOffSocket socket;
  private final Fd wake;
  private final Intake intake;
  private final Inspection inspection;
  private final Reserve reserve;
  private final RateLimitedLog junkLog;
  private final String name;
  private final Tally tally = new Tally();
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Held by the thread that uses {@code kernel}, {@code intake} and {@code inspection}. */
  private final ReentrantLock accepting = new ReentrantLock();

  private Receiver(
      Settings settings,
      Kernel kernel,
      Kernel closingKernel,
      ChannelAdopter adopter,
      HandOffSocket socket,
      Fd wake)
      throws SystemCallException {
    this.kernel = kernel;
    this.closingKernel = closingKernel;
    this.adopter = adopter;
    this.socket = socket;
    this.wake = wake;
    name = "unix:" + settings.path();
    inspection = new Inspection(kernel);
    reserve = new Reserve(kernel, wake);
    ReceiverLog log = new ReceiverLog(LOG, reserve, tally);
    junkLog = new RateLimitedLog(kernel, log, JUNK_LOG_INTERVAL_NANOS);
    try {
      intake =
          new Intake(
              kernel,
              settings.type(),
              socket.fd(),
              wake,
              closed::get,
              settings.unixConnectionsMax(),
              name,
              new PeerPolicy(settings.allowedUids(), name, log, tally),
              tally,
              log);
    } catch (SystemCallException | RuntimeException | Error e) {
      reserve.release();
      throw e;
    }
  }

  /** Opens everything that a receiver has open; on failure nothing is left. */
  static Receiver open(
      Settings settings, Kernel kernel, Kernel closingKernel, ChannelAdopter adopter)
      throws IOException {
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    if (r < 0) {
      throw new SystemCallException("eventfd for unix:" + settings.path(), -r, "");
    }
    Fd wake = Fd.of(r);
    @Nullable HandOffSocket socket = null;
    try {
      socket =
          HandOffSocket.open(
              kernel, settings.type(), settings.path(), settings.access(), settings.backlog(), LOG);
      Receiver receiver = new Receiver(settings, kernel, closingKernel, adopter, socket, wake);
      LOG.log(Level.DEBUG, receiver.name + ": open");
      return receiver;
    } catch (IOException | RuntimeException | Error e) {
      if (socket != null) {
        socket.close(kernel);
      }
      kernel.close(wake);
      throw e;
    }
  }

  /**
   * Begins to describe a receiver. Everything but the path has a default.
   *
   * @param path where the socket file shall be, at most 107 bytes; its directory must exist
   */
  public static ReceiverBuilder builder(Path path) {
    return new ReceiverBuilder(path);
  }

  /**
   * Waits for the next connection.
   *
   * @return connected TCP, in blocking mode, nothing read from it; the caller closes it
   * @throws AsynchronousCloseException when the receiver is closed meanwhile
   * @throws ClosedChannelException when it was closed before
   */
  public SocketChannel accept() throws ClosedChannelException {
    if (closed.get()) {
      throw new ClosedChannelException();
    }
    accepting.lock();
    try {
      while (true) {
        Fd fd = intake.next();
        if (fd == null) {
          throw new AsynchronousCloseException();
        }
        SocketChannel connection = adopt(fd);
        if (connection != null) {
          tally.accepted.increment();
          return connection;
        }
      }
    } finally {
      accepting.unlock();
    }
  }

  /** Makes a channel of a received descriptor, or closes it and returns null. */
  private @Nullable SocketChannel adopt(Fd fd) {
    // Not a switch, which would be a class more to load.
    Inspection.Kind kind = inspection.inspect(fd);
    if (kind == Inspection.Kind.GONE) {
      kernel.close(fd);
      tally.gone.increment();
      return null;
    }
    if (kind == Inspection.Kind.OTHER) {
      String what = inspection.describe(fd);
      kernel.close(fd);
      tally.notTcp.increment();
      junkLog.warn(name + ": closed a descriptor that is not a connected TCP socket: " + what);
      return null;
    }
    ProtocolFamily family =
        kind == Inspection.Kind.TCP_INET
            ? StandardProtocolFamily.INET
            : StandardProtocolFamily.INET6;
    try {
      // A new channel takes itself to be blocking and its configureBlocking(true) does nothing, so
      // the O_NONBLOCK that came along has to go here.
      int flags = kernel.fcntl(fd, Linux.F_GETFL, 0);
      if (flags >= 0 && (flags & Linux.O_NONBLOCK) != 0) {
        kernel.fcntl(fd, Linux.F_SETFL, flags & ~Linux.O_NONBLOCK);
      }
      return adopter.adopt(fd, family);
    } catch (IOException e) {
      // Its addresses could not be asked: the client has left since it was inspected.
      kernel.close(fd);
      tally.gone.increment();
      return null;
    } catch (RuntimeException | Error e) {
      kernel.close(fd);
      throw e;
    }
  }

  /**
   * Accepts until the receiver is closed, and handles each connection in a virtual thread of its
   * own, which closes it in the end.
   *
   * @param handler called in many threads at once
   */
  public void serve(ConnectionHandler handler) {
    ChannelAdopter.preparePolling();
    while (true) {
      SocketChannel connection;
      try {
        connection = accept();
      } catch (ClosedChannelException e) {
        return;
      }
      Thread.startVirtualThread(() -> handle(connection, handler));
    }
  }

  private void handle(SocketChannel connection, ConnectionHandler handler) {
    try (connection) {
      handler.handle(connection);
    } catch (IOException e) {
      // Clients leave when they like: nothing that whoever runs the server can mend.
      LOG.log(Level.DEBUG, name + ": a connection ended", e);
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, name + ": the handler of a connection failed", e);
    }
  }

  /** Where the socket file is, as given to {@link #builder}. */
  public Path localPath() {
    return socket.path();
  }

  /** What it has seen so far. */
  public Statistics statistics() {
    return tally.snapshot();
  }

  /** Whether it still receives. */
  public boolean isOpen() {
    return !closed.get();
  }

  /**
   * Ends every {@link #accept}, removes the socket file if it is still this receiver's, and closes
   * all descriptors but those of channels that were returned. Connections that wait in the UNIX
   * socket are reset: let the proxy stop sending first. Closing twice does nothing.
   *
   * @throws IOException when the socket file cannot be removed; the descriptors are closed all the
   *     same
   */
  @Override
  public void close() throws IOException {
    if (closed.getAndSet(true)) {
      return;
    }
    closingKernel.eventfdWrite(wake, 1);
    accepting.lock();
    try {
      // Closing may need a descriptor, for a class that was not needed before.
      reserve.release();
      socket.close(kernel);
    } finally {
      intake.close();
      reserve.release();
      kernel.close(wake);
      accepting.unlock();
    }
  }
}
