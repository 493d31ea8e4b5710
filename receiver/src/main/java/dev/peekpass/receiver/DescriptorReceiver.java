package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.wire.HandOff;
import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Receives connections as descriptors, for those who make something else of them than a {@code
 * SocketChannel}. Everything that {@link Receiver} says of pulling, threads and closing holds here,
 * too; but nothing of the JDK's inside is needed, so no {@code --add-opens}.
 */
public final class DescriptorReceiver implements Closeable {
  private final Kernel kernel;

  /**
   * For {@link #drain} and {@link #close}, which work while another thread waits in {@code kernel}.
   * Its lock is held by who uses it.
   */
  private final Kernel closingKernel;

  /** Whether {@code wake} is open; guarded by {@code closingKernel}. */
  private boolean wakeable = true;

  private final HandOffSocket socket;
  private final Fd wake;
  private final Intake intake;
  private final Inspection inspection;
  private final ClosingAside aside;
  private final SpareDescriptors spare;
  private final ReceiverLog log;
  private final boolean acknowledged;
  private final Tally tally = new Tally();
  private final AtomicBoolean closed = new AtomicBoolean();

  /** Held by the thread that uses {@code kernel}, {@code intake} and {@code inspection}. */
  private final ReentrantLock accepting = new ReentrantLock();

  /**
   * Starts to receive.
   *
   * @param socket this object's to close from now on, as {@code wake} is, unless this throws
   */
  private DescriptorReceiver(
      Receiver.Settings settings,
      Kernel kernel,
      Kernel closingKernel,
      Supplier<Kernel> kernels,
      HandOffSocket socket,
      Fd wake)
      throws SystemCallException {
    EarlyClasses.load();
    this.kernel = kernel;
    this.closingKernel = closingKernel;
    this.socket = socket;
    this.wake = wake;
    String name = "unix:" + settings.path();
    acknowledged = settings.type() == SocketType.ACKNOWLEDGED;
    spare = new SpareDescriptors(kernel, wake);
    log = new ReceiverLog(settings.log(), spare, tally);
    aside = new ClosingAside(kernels, name);
    DescriptorRefusal refusal = new DescriptorRefusal(kernel, aside);
    inspection = new Inspection(kernel, refusal, name, tally, log);
    PeerPolicy peers = new PeerPolicy(kernel, settings.allowedUids(), name, log, tally);
    try {
      spare.open();
      intake =
          new Intake(
              kernel,
              settings.type(),
              socket.fd(),
              wake,
              closed::get,
              settings.unixConnectionsMax(),
              settings.credits(),
              refusal,
              name,
              peers,
              tally,
              log);
    } catch (SystemCallException | RuntimeException | Error e) {
      spare.close();
      throw e;
    }
  }

  /** Opens everything that a receiver has open; on failure nothing is left. */
  static DescriptorReceiver open(Receiver.Settings settings, Supplier<Kernel> kernels)
      throws IOException {
    DescriptorReceiver receiver = openSilently(settings, kernels);
    try {
      receiver.log.log(Level.DEBUG, "unix:" + settings.path() + ": open");
    } catch (Error e) {
      receiver.close();
      throw e;
    }
    return receiver;
  }

  private static DescriptorReceiver openSilently(
      Receiver.Settings settings, Supplier<Kernel> kernels) throws IOException {
    Kernel kernel = kernels.get();
    Kernel closingKernel = kernels.get();
    int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
    if (r < 0) {
      throw new SystemCallException("eventfd for unix:" + settings.path(), -r, "");
    }
    Fd wake = Fd.of(r);
    @Nullable HandOffSocket socket = null;
    try {
      socket =
          HandOffSocket.open(
              kernel,
              settings.type(),
              settings.path(),
              settings.access(),
              settings.backlog(),
              settings.log());
      return new DescriptorReceiver(settings, kernel, closingKernel, kernels, socket, wake);
    } catch (IOException | RuntimeException | Error e) {
      try {
        if (socket != null) {
          socket.close(kernel);
        }
      } finally {
        kernel.close(wake);
      }
      throw e;
    }
  }

  /**
   * Waits for the next connection.
   *
   * @return the caller's to close
   * @throws AsynchronousCloseException when the receiver is closed meanwhile
   * @throws ClosedChannelException when it was closed before, or {@linkplain #drain drained}
   */
  public HandedOff accept() throws ClosedChannelException {
    return accept(Acking.AT_ONCE);
  }

  /**
   * As {@link #accept()}, but the connection is not acknowledged until {@link #acknowledge} is
   * called, or this method again. Until then it may be given back: if nothing at all was done with
   * it, close it, then {@link #close} the receiver, and the proxy gives it to another. To {@link
   * SocketType#ACKNOWLEDGED} only; from the others it is the caller's for good.
   *
   * @return the caller's to close
   * @throws AsynchronousCloseException when the receiver is closed meanwhile
   * @throws ClosedChannelException when it was closed before, or {@linkplain #drain drained}
   */
  public HandedOff acceptUnacknowledged() throws ClosedChannelException {
    return accept(Acking.WHEN_BACK);
  }

  /**
   * Acknowledges all connections that were given out. Not while another thread waits in {@link
   * #accept}: it would wait, too. Does nothing when the receiver is closed.
   */
  public void acknowledge() {
    accepting.lock();
    try {
      if (!closed.get()) {
        intake.acknowledge();
      }
    } finally {
      accepting.unlock();
    }
  }

  /** As {@link #accept()}. */
  HandedOff accept(Acking acking) throws ClosedChannelException {
    if (closed.get()) {
      throw new ClosedChannelException();
    }
    accepting.lock();
    try {
      while (true) {
        Arrival arrival = intake.next(acking);
        if (arrival == null) {
          throw closed.get() ? new AsynchronousCloseException() : new ClosedChannelException();
        }
        HandedOff connection = inspection.inspect(arrival, false);
        if (connection != null) {
          return connection;
        }
      }
    } finally {
      accepting.unlock();
    }
  }

  /**
   * Takes the next connection without waiting, for a server that has an event loop to wait in:
   *
   * <pre>{@code
   * pollable() is readable ──> poll() ──> a connection: ask again, as long as you like
   *                              └──> null ──> pauseMillis() = 0: wait until pollable() is readable
   *                                            pauseMillis() > 0: do not look for that long
   * }</pre>
   *
   * @return the caller's to close, with O_NONBLOCK set; null when there is none now
   * @throws ClosedChannelException when it is closed
   */
  public @Nullable HandedOff poll() throws ClosedChannelException {
    return poll(Acking.AT_ONCE);
  }

  /**
   * As {@link #poll}, for who takes several in a row: connections of one message are acknowledged
   * together. Call {@link #acknowledge} when you stop before it has given null.
   *
   * @return the caller's to close, with O_NONBLOCK set; null when there is none now
   * @throws ClosedChannelException when it is closed
   */
  public @Nullable HandedOff pollMore() throws ClosedChannelException {
    return poll(Acking.BY_MESSAGE);
  }

  private @Nullable HandedOff poll(Acking acking) throws ClosedChannelException {
    accepting.lock();
    try {
      while (true) {
        if (closed.get()) {
          throw new ClosedChannelException();
        }
        Arrival arrival = intake.poll(acking);
        if (arrival == null) {
          return null;
        }
        HandedOff connection = inspection.inspect(arrival, true);
        if (connection != null) {
          return connection;
        }
      }
    } finally {
      accepting.unlock();
    }
  }

  /**
   * For any poll or epoll, level-triggered: readable when {@link #poll} may give something. Goes on
   * being this object's.
   */
  public Fd pollable() {
    return intake.pollable();
  }

  /**
   * After {@link #poll} gave nothing: for how many milliseconds not to call it, because the process
   * is at its limit of open descriptors and what {@link #pollable} reports cannot be had; 0 when it
   * is not. For the thread that polls.
   */
  public int pauseMillis() {
    return intake.pauseMillis();
  }

  /**
   * Whether {@link #poll} has something to give that {@link #pollable} does not tell: one message
   * can bring many descriptors. For the thread that polls.
   */
  public boolean hasMore() {
    return intake.hasMore();
  }

  /** As {@link Receiver#load}. */
  public void load(int thousandths) {
    if (thousandths < 0 || thousandths > HandOff.MAX_LOAD) {
      throw new IllegalArgumentException("0 to " + HandOff.MAX_LOAD + ", not " + thousandths);
    }
    intake.load(thousandths);
  }

  /**
   * As {@link Receiver#drain}. Whoever polls finds {@link #pollable} readable, goes on polling, and
   * learns from {@link #isDrained} that it was all.
   *
   * @throws IOException when the socket file cannot be removed; it drains all the same
   */
  public void drain() throws IOException {
    if (closed.get()) {
      return;
    }
    // Twice does no harm: the file is no longer this socket's, and who waits is drained already.
    try {
      socket.removeFile();
    } finally {
      wake();
    }
  }

  /** After {@link #poll} gave nothing: whether it was drained and nothing will come any more. */
  public boolean isDrained() {
    return intake.isDrained();
  }

  /** Ends the wait of whoever is in {@link #accept}. */
  private void wake() {
    synchronized (closingKernel) {
      if (wakeable) {
        closingKernel.eventfdWrite(wake, 1);
      }
    }
  }

  /** A connection that was given out has turned out to have no client any more. */
  void countGone() {
    tally.accepted.decrement();
    tally.gone.increment();
  }

  /** Whether proxies keep what they offer until it is acknowledged. */
  public boolean isAcknowledged() {
    return acknowledged;
  }

  /** Where the socket file is, as given to {@link Receiver#builder}. */
  public Path localPath() {
    return socket.path();
  }

  /** What it has seen so far; {@code accepted} counts the descriptors that were given out. */
  public Statistics statistics() {
    return tally.snapshot();
  }

  /** Whether it still receives. */
  public boolean isOpen() {
    return !closed.get();
  }

  /**
   * Ends every {@link #accept}, removes the socket file if it is still this receiver's, and closes
   * all descriptors but those that were given out. Connections that wait in the UNIX socket are
   * reset, but for those that were offered to be acknowledged, which the proxy keeps and gives to
   * another: {@link #drain} first. Closing twice does nothing.
   *
   * @throws IOException when the socket file cannot be removed; the descriptors are closed all the
   *     same
   */
  @Override
  public void close() throws IOException {
    if (closed.getAndSet(true)) {
      return;
    }
    try {
      wake();
    } finally {
      accepting.lock();
      try {
        closeAll();
      } finally {
        accepting.unlock();
      }
    }
  }

  private void closeAll() throws IOException {
    try {
      // Closing may need a descriptor, for a class that was not needed before.
      spare.close();
      socket.removeFile();
    } finally {
      try {
        intake.close();
      } finally {
        // Logging has opened them again.
        spare.close();
        aside.end();
        synchronized (closingKernel) {
          wakeable = false;
          kernel.close(wake);
        }
        socket.close(kernel);
      }
    }
  }
}
