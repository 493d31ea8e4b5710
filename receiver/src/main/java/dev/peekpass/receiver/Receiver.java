package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.Metadata;
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
      List.of(
          Errno.class,
          PeerCredentials.class,
          Inspection.Kind.class,
          Statistics.class,
          AcknowledgedPeer.class,
          Arrival.class,
          HandedOff.class,
          SharedWords.class,
          FromReceiver.class,
          FromProxy.Kind.class,
          ClaimWord.class,
          Metadata.class);

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
      int unixConnectionsMax,
      int credits) {
    Settings {
      allowedUids = Set.copyOf(allowedUids);
    }
  }

  private final Kernel kernel;

  /**
   * For {@link #drain} and {@link #close}, which work while another thread waits in {@code kernel}.
   * Its lock is held by who uses it.
   */
  private final Kernel closingKernel;

  /** Whether {@code wake} is open; guarded by {@code closingKernel}. */
  private boolean wakeable = true;

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
  private final AtomicBoolean drained = new AtomicBoolean();
  private volatile int load = HandOff.LOAD_UNKNOWN;

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
              settings.credits(),
              () -> load,
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
   * @throws ClosedChannelException when it was closed before, or {@linkplain #drain drained}
   */
  public SocketChannel accept() throws ClosedChannelException {
    return next(false).connection();
  }

  /**
   * Waits for the next connection, as {@link #accept} does, and tells what the proxy says about it.
   *
   * @throws AsynchronousCloseException when the receiver is closed meanwhile
   * @throws ClosedChannelException when it was closed before, or {@linkplain #drain drained}
   */
  public HandedOff receive() throws ClosedChannelException {
    return next(false);
  }

  private HandedOff next(boolean comesBack) throws ClosedChannelException {
    if (closed.get()) {
      throw new ClosedChannelException();
    }
    accepting.lock();
    try {
      while (true) {
        Arrival arrival = intake.next(comesBack);
        if (arrival == null) {
          throw closed.get() ? new AsynchronousCloseException() : new ClosedChannelException();
        }
        SocketChannel connection = adopt(arrival.fd());
        if (connection != null) {
          tally.accepted.increment();
          return new HandedOff(connection, arrival.metadata());
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
      HandedOff handedOff;
      try {
        handedOff = next(true);
      } catch (ClosedChannelException e) {
        return;
      }
      Thread.startVirtualThread(() -> handle(handedOff, handler));
    }
  }

  private void handle(HandedOff handedOff, ConnectionHandler handler) {
    try (SocketChannel connection = handedOff.connection()) {
      handler.handle(connection);
      if (handedOff.metadata().offeredBefore() && connection.isOpen()) {
        // A receiver that hangs may have a copy in its queue, which closing leaves open.
        connection.shutdownOutput();
      }
    } catch (IOException e) {
      // Clients leave when they like: nothing that whoever runs the server can mend.
      LOG.log(Level.DEBUG, name + ": a connection ended", e);
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, name + ": the handler of a connection failed", e);
    }
  }

  /**
   * Tells proxies how busy this application is, with the next acknowledgement. Means something to
   * {@link SocketType#ACKNOWLEDGED} only.
   *
   * @param thousandths 0 when idle to 1000 when fully loaded
   */
  public void load(int thousandths) {
    if (thousandths < 0 || thousandths > HandOff.MAX_LOAD) {
      throw new IllegalArgumentException("0 to " + HandOff.MAX_LOAD + ", not " + thousandths);
    }
    load = thousandths;
  }

  /**
   * Begins to end without losing anything: removes the socket file if it is still this receiver's,
   * and lets no proxy send any more. {@link #accept} goes on to return what was sent before, and
   * throws ClosedChannelException once that is all; {@link #close} then. Another receiver may have
   * the path at once. Draining twice, or after closing, does nothing.
   *
   * @throws IOException when the socket file cannot be removed; it drains all the same
   */
  public void drain() throws IOException {
    if (closed.get() || drained.getAndSet(true)) {
      return;
    }
    try {
      socket.removeFile();
    } finally {
      wake();
    }
  }

  /** Ends the wait of whoever is in {@link #accept}. */
  private void wake() {
    synchronized (closingKernel) {
      if (wakeable) {
        closingKernel.eventfdWrite(wake, 1);
      }
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
   * socket are reset, but for those that were offered to be acknowledged, which the proxy keeps and
   * gives to another: {@link #drain} first. Closing twice does nothing.
   *
   * @throws IOException when the socket file cannot be removed; the descriptors are closed all the
   *     same
   */
  @Override
  public void close() throws IOException {
    if (closed.getAndSet(true)) {
      return;
    }
    wake();
    accepting.lock();
    try {
      // Closing may need a descriptor, for a class that was not needed before.
      reserve.release();
      socket.close(kernel);
    } finally {
      intake.close();
      reserve.release();
      synchronized (closingKernel) {
        wakeable = false;
        kernel.close(wake);
      }
      accepting.unlock();
    }
  }
}
