package dev.peekpass.receiver;

import dev.peekpass.linux.EpollEvents;
import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SystemCallException;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Takes the descriptors out of the messages on the hand-off socket and its UNIX connections,
 * waiting for them or not. Belongs to one thread at a time.
 *
 * <pre>{@code
 *                       ┌────────────── room, or a moment has passed ──────────────┐
 *                       v                                                          │
 * next() ──> pending? ──no──> epoll_wait ─┬─ hand-off socket ──> accept4 ──EMFILE──┤
 *              │yes                       └─ UNIX connection ──> peek ──MSG_CTRUNC─┘
 *              v                                                  │ whole
 *          descriptor <────────────── pending <── drop message <──┘
 * }</pre>
 *
 * <p>A message is first peeked at, which gives duplicates of its descriptors, and dropped from the
 * queue only when all of them have arrived. So a process at its limit of open descriptors loses no
 * client, whoever else in it opens files at the same moment: the message stays where it is, later
 * ones wait behind it, and the proxy feels it. Receiving outright would lose what does not fit
 * (unix(7), MSG_CTRUNC).
 */
final class Intake {
  /** The longest wait at the limit before looking again. */
  private static final int WAIT_MAX_MILLIS = 50;

  /** How long a message with more descriptors than there is room for is tried. */
  private static final long TRUNCATED_PATIENCE_NANOS = 10_000_000_000L;

  /** With this limit of open descriptors the largest message there is fits sooner or later. */
  private static final int ROOMY_LIMIT = 2 * (Linux.SCM_MAX_FD + 3);

  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;
  private static final long LIMIT_LOG_INTERVAL_NANOS = 60_000_000_000L;

  /** How many events {@link #poll} handles at most that bring no descriptor. */
  private static final int LOOKS_MAX = 64;

  /** A message has one byte; a few more are taken at a time from those who send more. */
  private static final int PAYLOAD_BYTES = 64;

  private final Kernel kernel;
  private final SocketType type;
  private final Fd socket;
  private final Fd wake;
  private final BooleanSupplier stopped;
  private final int unixConnectionsMax;
  private final String name;
  private final PeerPolicy peers;
  private final Tally tally;
  private final ReceiverLog log;
  private final RateLimitedLog junkLog;
  private final RateLimitedLog limitLog;

  /** Holds the hand-off socket, the UNIX connections and {@code wake}. */
  private final Fd epoll;

  /** Holds {@code wake} only: a wait that nothing else ends. */
  private final Fd wakeEpoll;

  // One event a call: none can be about a descriptor that an earlier one closed, and level-
  // triggered epoll reports those that are ready in turn, which is fair.
  private final EpollEvents events = new EpollEvents(1);
  private final Message message = new Message(PAYLOAD_BYTES, Linux.SCM_MAX_FD);
  private final NativeBuffer dropped = new NativeBuffer(PAYLOAD_BYTES);
  private final Queue<Fd> pending = new ArrayDeque<>();
  private final Set<Fd> unixConnections = new HashSet<>();

  /** Whether the hand-off socket is not watched, because of {@code unixConnectionsMax}. */
  private boolean parked;

  /** The next pause. */
  private int waitMillis = 1;

  /** What the last look asked for; 0 for none. */
  private int pauseMillis;

  /** Whose first message did not fit, and since when; null when none. */
  private @Nullable Fd truncatedAt;

  private long truncatedSinceNanos;

  /**
   * Starts watching.
   *
   * @param socket bound, non-blocking, listening if it is a stream; goes on being the caller's
   * @param wake an eventfd that ends a wait; goes on being the caller's
   * @param stopped whether {@link #next} shall end
   * @param unixConnectionsMax how many UNIX connections may be open at once
   * @param name the receiver's, for the log
   * @throws SystemCallException when it cannot watch; nothing is left open
   */
  Intake(
      Kernel kernel,
      SocketType type,
      Fd socket,
      Fd wake,
      BooleanSupplier stopped,
      int unixConnectionsMax,
      String name,
      PeerPolicy peers,
      Tally tally,
      ReceiverLog log)
      throws SystemCallException {
    this.kernel = kernel;
    this.type = type;
    this.socket = socket;
    this.wake = wake;
    this.stopped = stopped;
    this.unixConnectionsMax = unixConnectionsMax;
    this.name = name;
    this.peers = peers;
    this.tally = tally;
    this.log = log;
    junkLog = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
    limitLog = new RateLimitedLog(kernel, log, LIMIT_LOG_INTERVAL_NANOS);
    epoll = newEpoll();
    try {
      wakeEpoll = newEpoll();
    } catch (SystemCallException e) {
      kernel.close(epoll);
      throw e;
    }
    try {
      check("epoll_ctl", watch(epoll, wake));
      check("epoll_ctl", watch(wakeEpoll, wake));
      check("epoll_ctl", watch(epoll, socket));
    } catch (SystemCallException e) {
      close();
      throw e;
    }
  }

  private Fd newEpoll() throws SystemCallException {
    int r = kernel.epollCreate1(Linux.EPOLL_CLOEXEC);
    check("epoll_create1", r);
    return Fd.of(r);
  }

  private int watch(Fd in, Fd fd) {
    return kernel.epollCtl(in, Linux.EPOLL_CTL_ADD, fd, Linux.EPOLLIN, fd.number());
  }

  private static void check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(
          call + " for a receiver",
          -r,
          r == -Errno.EMFILE ? "raise the limit of open descriptors (RLIMIT_NOFILE)" : "");
    }
  }

  /**
   * Waits for the next descriptor.
   *
   * @return the caller's to close, not inspected yet; null when stopped
   */
  @Nullable Fd next() {
    while (!stopped.getAsBoolean()) {
      Fd first = pending.poll();
      if (first != null) {
        return first;
      }
      look(-1);
      if (pauseMillis > 0) {
        kernel.epollWait(wakeEpoll, events, pauseMillis);
      }
    }
    return null;
  }

  /**
   * Takes the next descriptor if there is one, without waiting.
   *
   * @return the caller's to close, not inspected yet; null when none is there, or when {@link
   *     #pauseMillis} says so
   */
  @Nullable Fd poll() {
    pauseMillis = 0;
    Fd first = pending.poll();
    // Bounded: peers that only make noise must not keep the caller's thread. What is left then is
    // reported by epoll again.
    for (int i = 0; first == null && i < LOOKS_MAX && pauseMillis == 0 && look(0); i++) {
      first = pending.poll();
    }
    return first;
  }

  /**
   * After {@link #poll} gave nothing: how long not to call it again, in milliseconds, because the
   * process is at its limit of open descriptors; 0 when it is not.
   */
  int pauseMillis() {
    return pauseMillis;
  }

  /** Whether descriptors have been taken that were not given out: epoll does not tell. */
  boolean hasPending() {
    return !pending.isEmpty();
  }

  /** Readable when {@link #poll} may give something; this object's. */
  Fd pollable() {
    return epoll;
  }

  /**
   * Waits for one event and does what it asks for; sets {@link #pauseMillis}.
   *
   * @param timeoutMillis as of epoll_wait
   * @return whether there was one
   */
  private boolean look(int timeoutMillis) {
    pauseMillis = 0;
    int n = kernel.epollWait(epoll, events, timeoutMillis);
    if (n < 0 && n != -Errno.EINTR) {
      throw new IllegalStateException("epoll_wait: " + Errno.name(-n));
    }
    if (n != 1 || events.data(0) == wake.number()) {
      return false;
    }
    Fd ready = Fd.of((int) events.data(0));
    if (ready.equals(socket) && type == SocketType.STREAM) {
      acceptUnixConnection();
    } else {
      receive(ready);
    }
    return true;
  }

  private void acceptUnixConnection() {
    int r = kernel.accept4(socket, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    if (r < 0) {
      switch (-r) {
        case Errno.EAGAIN, Errno.EINTR, Errno.ECONNABORTED -> {
          // Whoever it was has gone, or comes again.
        }
        default -> waitForRoom("accept4: " + Errno.name(-r));
      }
      return;
    }
    Fd connection = Fd.of(r);
    PeerCredentials[] peer = new PeerCredentials[1];
    int known = kernel.peerCredentials(connection, peer);
    PeerCredentials who = peer[0];
    if (known < 0 || who == null || !peers.allows(who.uid(), who.pid())) {
      // Closing it closes what is queued in it.
      kernel.close(connection);
      return;
    }
    int watched = watch(epoll, connection);
    if (watched < 0) {
      kernel.close(connection);
      junkLog.warn(name + ": closed a UNIX connection: epoll_ctl: " + Errno.name(-watched));
      return;
    }
    unixConnections.add(connection);
    tally.unixConnections.increment();
    tally.openUnixConnections.increment();
    if (unixConnections.size() == unixConnectionsMax) {
      // Closing it would lose the connection that may be queued in it; left in the backlog, the
      // proxy finds that full in the end and turns elsewhere.
      kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, socket, 0, 0);
      parked = true;
      limitLog.warn(
          name
              + ": "
              + unixConnectionsMax
              + " UNIX connections are open: no more are taken until one ends");
    }
    // Under `once` the message is there already: taking it now keeps few of them open.
    receive(connection);
  }

  private void receive(Fd from) {
    int n =
        kernel.recvmsg(from, message, Linux.MSG_PEEK | Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC);
    if (n < 0) {
      cannotReceive(from, -n);
      return;
    }
    if (n == 0 && type == SocketType.STREAM) {
      end(from);
      return;
    }
    boolean allowed =
        type == SocketType.STREAM || peers.allows(message.senderUid(), message.senderPid());
    if (allowed && message.descriptorsTruncated() && mayStillFit(from)) {
      closeDescriptors();
      waitForRoom("a message has more descriptors than there is room for");
      return;
    }
    if (Objects.equals(from, truncatedAt)) {
      truncatedAt = null;
    }
    if (!consume(from, n)) {
      // Peeking again would give the same descriptors twice.
      closeDescriptors();
      end(from);
      return;
    }
    if (!allowed) {
      closeDescriptors();
    } else if (message.descriptorsTruncated()) {
      closeDescriptors();
      tally.truncated.increment();
      junkLog.warn(
          name
              + ": closed all descriptors of a message that does not fit under the limit of "
              + kernel.getrlimit(Linux.RLIMIT_NOFILE)
              + " open descriptors: raise it (RLIMIT_NOFILE), or lower the backend's batch");
    } else {
      take();
    }
  }

  private void take() {
    waitMillis = 1;
    int count = message.descriptorCount();
    if (count == 0) {
      tally.withoutDescriptor.increment();
      junkLog.warn(name + ": dropped a message without a descriptor");
    }
    for (int i = 0; i < count; i++) {
      pending.add(message.descriptor(i));
    }
  }

  private void cannotReceive(Fd from, int errno) {
    switch (errno) {
      case Errno.EAGAIN, Errno.EINTR -> {
        // Ready for nothing, or interrupted: epoll tells when to come again.
      }
      case Errno.ENOMEM, Errno.ENOBUFS -> waitForRoom("recvmsg: " + Errno.name(errno));
      default -> {
        junkLog.warn(name + ": recvmsg: " + Errno.name(errno));
        end(from);
      }
    }
  }

  /**
   * Removes what was peeked at from the queue. The message holds its descriptors afterwards, once.
   *
   * @return false when that failed
   */
  private boolean consume(Fd from, int peekedBytes) {
    // A peek that fills the buffer may show the descriptors of the next message in a stream as
    // well, so whose they are is known only by receiving. No proxy sends that much.
    boolean ambiguous = peekedBytes == PAYLOAD_BYTES;
    if (ambiguous) {
      closeDescriptors();
    }
    int r;
    do {
      // A datagram goes as a whole, of a stream exactly what was seen.
      r =
          ambiguous
              ? kernel.recvmsg(from, message, Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC)
              : kernel.recv(from, dropped, 0, peekedBytes, Linux.MSG_DONTWAIT);
    } while (r == -Errno.EINTR);
    return r == peekedBytes;
  }

  /**
   * Whether to keep a truncated message in the queue. One of which nothing fits waits for as long
   * as it takes: the process is full. One of which a part fits may be larger than a low limit will
   * ever allow, and would hold up all others.
   */
  private boolean mayStillFit(Fd from) {
    long now = kernel.nanoTime();
    if (truncatedAt == null) {
      truncatedAt = from;
      truncatedSinceNanos = now;
    }
    return message.descriptorCount() == 0
        || kernel.getrlimit(Linux.RLIMIT_NOFILE) >= ROOMY_LIMIT
        || !from.equals(truncatedAt)
        || now - truncatedSinceNanos < TRUNCATED_PATIENCE_NANOS;
  }

  private void closeDescriptors() {
    for (int i = 0; i < message.descriptorCount(); i++) {
      kernel.close(message.descriptor(i));
    }
  }

  /** Asks for a pause, since level-triggered epoll would report the same again and again. */
  private void waitForRoom(String why) {
    tally.waitsForRoom.increment();
    limitLog.warn(
        name
            + ": "
            + why
            + ": taking nothing until there is room. The limit is "
            + kernel.getrlimit(Linux.RLIMIT_NOFILE)
            + " open descriptors (RLIMIT_NOFILE): raise it, or close connections sooner");
    pauseMillis = waitMillis;
    waitMillis = Math.min(2 * waitMillis, WAIT_MAX_MILLIS);
  }

  private void end(Fd from) {
    if (from.equals(socket)) {
      // The hand-off socket itself failed to give a datagram. That passes.
      waitForRoom("the hand-off socket failed");
      return;
    }
    if (Objects.equals(from, truncatedAt)) {
      truncatedAt = null;
    }
    unixConnections.remove(from);
    tally.openUnixConnections.decrement();
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, from, 0, 0);
    kernel.close(from);
    if (parked) {
      parked = watch(epoll, socket) < 0;
    }
  }

  /** Closes the UNIX connections, and what was received and not asked for. */
  void close() {
    for (Fd fd : List.copyOf(unixConnections)) {
      kernel.close(fd);
      tally.openUnixConnections.decrement();
    }
    unixConnections.clear();
    for (Fd fd = pending.poll(); fd != null; fd = pending.poll()) {
      kernel.close(fd);
    }
    kernel.close(epoll);
    kernel.close(wakeEpoll);
    if (log.isLoggable(Level.DEBUG)) {
      log.log(Level.DEBUG, name + ": closed: " + tally.snapshot());
    }
  }
}
