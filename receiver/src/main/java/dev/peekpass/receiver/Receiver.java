package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
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
import java.util.Set;
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
  /**
   * Asked for early, since loggers write the time: a JDK that could not read the time zones when it
   * first wanted to never has them.
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
      int credits,
      System.Logger log) {
    Settings {
      allowedUids = Set.copyOf(allowedUids);
    }
  }

  private final DescriptorReceiver descriptors;
  private final Kernel kernel;
  private final ChannelAdopter adopter;
  private final System.Logger log;

  /** Held by the thread that uses {@code kernel}. */
  private final ReentrantLock adopting = new ReentrantLock();

  /**
   * Makes channels of what another receiver receives.
   *
   * @param descriptors this object's to close from now on
   * @param kernel one that nobody else uses
   */
  Receiver(
      DescriptorReceiver descriptors, Kernel kernel, ChannelAdopter adopter, System.Logger log) {
    this.descriptors = descriptors;
    this.kernel = kernel;
    this.adopter = adopter;
    this.log = log;
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
    return next(Acking.AT_ONCE).channel();
  }

  /**
   * Waits for the next connection, as {@link #accept} does, and tells what the proxy says about it.
   *
   * @throws AsynchronousCloseException when the receiver is closed meanwhile
   * @throws ClosedChannelException when it was closed before, or {@linkplain #drain drained}
   */
  public AdoptedConnection receive() throws ClosedChannelException {
    return next(Acking.AT_ONCE);
  }

  private AdoptedConnection next(Acking acking) throws ClosedChannelException {
    while (true) {
      HandedOff received = descriptors.accept(acking);
      adopting.lock();
      try {
        AdoptedConnection connection = adopt(received);
        if (connection != null) {
          return connection;
        }
      } finally {
        adopting.unlock();
      }
    }
  }

  /** Makes a channel of a received descriptor, or refuses it and returns null, or throws. */
  private @Nullable AdoptedConnection adopt(HandedOff received) {
    Fd fd = received.fd();
    ProtocolFamily family =
        received.inet6() ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET;
    try {
      // A new channel takes itself to be blocking and its configureBlocking(true) does nothing, so
      // the O_NONBLOCK that came along has to go here.
      int flags = kernel.fcntl(fd, Linux.F_GETFL, 0);
      if (flags >= 0 && (flags & Linux.O_NONBLOCK) != 0) {
        kernel.fcntl(fd, Linux.F_SETFL, flags & ~Linux.O_NONBLOCK);
      }
      return new AdoptedConnection(adopter.adopt(fd, family), received.metadata());
    } catch (IOException e) {
      // Its addresses could not be asked: the client has left since it was inspected.
      DescriptorRefusal.closeAtOnce(kernel, fd);
      descriptors.countGone();
      return null;
    } catch (RuntimeException | Error e) {
      // Its channel, if it was made, is nobody's.
      DescriptorRefusal.closeAtOnce(kernel, fd);
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
      AdoptedConnection connection;
      try {
        connection = next(Acking.BY_MESSAGE);
      } catch (ClosedChannelException e) {
        return;
      }
      try {
        Thread.startVirtualThread(() -> handle(connection, handler));
      } catch (RuntimeException | Error e) {
        closeQuietly(connection.channel());
        throw e;
      }
    }
  }

  private void closeQuietly(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException e) {
      log.log(Level.DEBUG, name() + ": a connection ended", e);
    }
  }

  private void handle(AdoptedConnection connection, ConnectionHandler handler) {
    try (SocketChannel channel = connection.channel()) {
      handler.handle(channel);
      if (connection.metadata().offeredBefore() && channel.isOpen()) {
        // A receiver that hangs may have a copy in its queue, which closing leaves open.
        channel.shutdownOutput();
      }
    } catch (IOException e) {
      // Clients leave when they like: nothing that whoever runs the server can mend.
      log.log(Level.DEBUG, name() + ": a connection ended", e);
    } catch (RuntimeException e) {
      log.log(Level.ERROR, name() + ": the handler of a connection failed", e);
    }
  }

  private String name() {
    return "unix:" + localPath();
  }

  /**
   * Tells proxies how busy this application is, with the next acknowledgement. Means something to
   * {@link SocketType#ACKNOWLEDGED} only.
   *
   * @param thousandths 0 when idle to 1000 when fully loaded
   */
  public void load(int thousandths) {
    descriptors.load(thousandths);
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
    descriptors.drain();
  }

  /** Where the socket file is, as given to {@link #builder}. */
  public Path localPath() {
    return descriptors.localPath();
  }

  /** What it has seen so far. */
  public Statistics statistics() {
    return descriptors.statistics();
  }

  /** Whether it still receives. */
  public boolean isOpen() {
    return descriptors.isOpen();
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
    descriptors.close();
  }
}
