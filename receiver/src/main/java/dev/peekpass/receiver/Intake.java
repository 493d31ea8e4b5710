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
import dev.peekpass.wire.HandOff;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
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
 *        claim, acknowledge <───────── pending <── drop message <──┘
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
  private final Message message;
  private final NativeBuffer dropped = new NativeBuffer(PAYLOAD_BYTES);
  private final Queue<Arrival> pending = new ArrayDeque<>();
  private final Set<Fd> unixConnections = new HashSet<>();

  /** Of an acknowledging receiver: what is behind each of its UNIX connections. */
  private final Map<Fd, OfferChannel> acknowledged = new HashMap<>();

  /** Those of them that are owed an ACK. */
  private final List<OfferChannel> owing = new ArrayList<>();

  private final int credits;
  private final IntSupplier load;
  private boolean draining;
  private boolean drained;

  /** Of what is drained: whether no UNIX connection waits to be accepted any more. */
  private boolean backlogTaken;

  /** Whether the caller may still give back what it was given last, by closing. */
  private boolean held;

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
   * @param credits how many connections a proxy's loop may have offered and not acknowledged
   * @param load how busy the application is, for the proxies
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
      int credits,
      IntSupplier load,
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
    this.credits = credits;
    this.load = load;
    // One byte more than may come, to tell what is too long.
    int payloadBytes =
        type == SocketType.ACKNOWLEDGED ? HandOff.MAX_MESSAGE_BYTES + 1 : PAYLOAD_BYTES;
    message = new Message(payloadBytes, Linux.SCM_MAX_FD);
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
   * Waits for the next descriptor, and makes it this process's where it was only offered.
   *
   * @param acking when it is acknowledged
   * @return the caller's to close, not inspected yet; null when stopped, or when all is drained
   */
  @Nullable Arrival next(Acking acking) {
    if (held) {
      acknowledge();
    }
    while (!stopped.getAsBoolean()) {
      Arrival first = claimNext();
      if (first != null) {
        given(acking);
        return first;
      }
      acknowledge();
      look(-1);
      if (drained) {
        return null;
      }
      if (pauseMillis > 0) {
        kernel.epollWait(wakeEpoll, events, pauseMillis);
      }
    }
    return null;
  }

  /**
   * Takes the next descriptor if there is one, without waiting.
   *
   * @param acking as of {@link #next}; with {@link Acking#BY_MESSAGE} the caller must call {@link
   *     #acknowledge} before it does something else than polling
   * @return the caller's to close, not inspected yet; null when none is there, or when {@link
   *     #pauseMillis} says so
   */
  @Nullable Arrival poll(Acking acking) {
    pauseMillis = 0;
    Arrival first = claimNext();
    // Bounded: peers that only make noise must not keep the caller's thread. What is left then is
    // reported by epoll again.
    for (int i = 0; first == null && i < LOOKS_MAX && pauseMillis == 0 && look(0); i++) {
      first = claimNext();
    }
    if (first == null) {
      acknowledge();
    } else {
      given(acking);
    }
    return first;
  }

  private void given(Acking acking) {
    if (acking == Acking.WHEN_BACK) {
      held = true;
    } else if (acking == Acking.AT_ONCE || pending.isEmpty()) {
      acknowledge();
    }
  }

  /**
   * After {@link #poll} gave nothing: how long not to call it again, in milliseconds, because the
   * process is at its limit of open descriptors; 0 when it is not.
   */
  int pauseMillis() {
    return pauseMillis;
  }

  /** Whether {@link #poll} has more to do of which epoll does not tell. */
  boolean hasPending() {
    return !pending.isEmpty() || (draining && backlogTaken && !drained && unixConnections.isEmpty());
  }

  /** Whether everything that was sent before it was drained has been given out. */
  boolean isDrained() {
    return drained;
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
    if (draining && backlogTaken && unixConnections.isEmpty()) {
      // Nothing is watched any more; what may be left is in the queue of datagrams.
      boolean more = type == SocketType.DATAGRAM && receive(socket);
      drained = !more && pauseMillis == 0;
      return more;
    }
    int n = kernel.epollWait(epoll, events, timeoutMillis);
    if (n < 0 && n != -Errno.EINTR) {
      throw new IllegalStateException("epoll_wait: " + Errno.name(-n));
    }
    if (n != 1) {
      return false;
    }
    Fd ready = Fd.of((int) events.data(0));
    if (ready.equals(wake)) {
      if (stopped.getAsBoolean()) {
        return false;
      }
      kernel.eventfdRead(wake);
      drain();
    } else if (ready.equals(socket) && type != SocketType.DATAGRAM) {
      acceptUnixConnection();
    } else if (events.events(0) == Linux.EPOLLOUT) {
      // Room for an ACK that found none.
      modify(ready, Linux.EPOLLIN);
      OfferChannel peer = acknowledged.get(ready);
      if (peer != null) {
        owing.add(peer);
      }
    } else {
      receive(ready);
    }
    return true;
  }

  private void modify(Fd connection, int interest) {
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_MOD, connection, interest, connection.number());
  }

  /** Takes the first of those that arrived which is ours; null when there is none. */
  private @Nullable Arrival claimNext() {
    Arrival first = pending.poll();
    while (first != null && !claim(first)) {
      first = pending.poll();
    }
    return first;
  }

  /** Whether it is ours now; if not it is closed, and another has it. */
  private boolean claim(Arrival arrival) {
    OfferChannel from = arrival.from();
    if (from == null) {
      return true;
    }
    boolean won = from.claim(arrival.number());
    if (!won) {
      kernel.close(arrival.fd());
      tally.takenBack.increment();
    }
    owe(from);
    return won;
  }

  private void owe(OfferChannel peer) {
    if (peer.owesAck() && !owing.contains(peer)) {
      owing.add(peer);
    }
  }

  /** Acknowledges all that was given out. */
  void acknowledge() {
    held = false;
    for (int i = 0; i < owing.size(); i++) {
      OfferChannel peer = owing.get(i);
      if (peer.owesAck() && !peer.acknowledge(draining, load.getAsInt())) {
        modify(peer.socket(), Linux.EPOLLIN | Linux.EPOLLOUT);
      }
    }
    owing.clear();
  }

  /**
   * Sees to it that nothing more comes, and that all that was sent is taken: proxies find the
   * sockets shut, while what is queued in them can still be received, then comes their end.
   */
  private void drain() {
    if (draining) {
      return;
    }
    draining = true;
    kernel.shutdown(socket, Linux.SHUT_RD);
    if (type == SocketType.DATAGRAM) {
      leaveHandOffSocket();
    }
    for (Fd connection : unixConnections) {
      kernel.shutdown(connection, Linux.SHUT_RD);
    }
    for (OfferChannel peer : acknowledged.values()) {
      peer.owe();
      owe(peer);
    }
  }

  /** Nothing waits in the hand-off socket's backlog any more, and nothing can come. */
  private void leaveHandOffSocket() {
    kernel.epollCtl(epoll, Linux.EPOLL_CTL_DEL, socket, 0, 0);
    backlogTaken = true;
  }

  /** Lets one in, if there is one. */
  private void acceptUnixConnection() {
    int r = kernel.accept4(socket, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
    if (r < 0) {
      switch (-r) {
        case Errno.EINTR, Errno.ECONNABORTED -> {
          // Whoever it was has gone, or comes again.
        }
        case Errno.EAGAIN, Errno.EINVAL -> {
          if (draining) {
            // It is shut: that was the last.
            leaveHandOffSocket();
          } else if (r == -Errno.EINVAL) {
            // Somebody else has shut it, and epoll would report it for ever.
            waitForRoom("accept4: EINVAL");
          }
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
    if (draining) {
      kernel.shutdown(connection, Linux.SHUT_RD);
    }
    unixConnections.add(connection);
    tally.unixConnections.increment();
    tally.openUnixConnections.increment();
    if (type == SocketType.ACKNOWLEDGED) {
      OfferChannel proxy = new OfferChannel(kernel, connection, credits);
      acknowledged.put(connection, proxy);
      if (proxy.greet() < 0) {
        end(connection, true);
        return;
      }
      if (draining) {
        proxy.owe();
        owe(proxy);
      }
    }
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

  /** Receives one message; returns whether there was one. */
  private boolean receive(Fd from) {
    int n =
        kernel.recvmsg(from, message, Linux.MSG_PEEK | Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC);
    if (n < 0) {
      cannotReceive(from, -n);
      return n == -Errno.EINTR;
    }
    if (n == 0 && type != SocketType.DATAGRAM) {
      end(from, false);
      return false;
    }
    boolean allowed =
        type != SocketType.DATAGRAM || peers.allows(message.senderUid(), message.senderPid());
    if (allowed && message.descriptorsTruncated() && mayStillFit(from)) {
      closeDescriptors();
      waitForRoom("a message has more descriptors than there is room for");
      return true;
    }
    if (Objects.equals(from, truncatedAt)) {
      truncatedAt = null;
    }
    if (!consume(from, n)) {
      // Peeking again would give the same descriptors twice.
      closeDescriptors();
      end(from, true);
      return false;
    }
    OfferChannel peer = acknowledged.get(from);
    if (!allowed) {
      closeDescriptors();
    } else if (peer != null) {
      take(peer, n);
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
    return true;
  }

  private void take(OfferChannel peer, int length) {
    waitMillis = 1;
    if (message.descriptorsTruncated()) {
      tally.truncated.increment();
      limitLog.warn(
          name
              + ": gave connections back to the proxy until there is room. The limit is "
              + kernel.getrlimit(Linux.RLIMIT_NOFILE)
              + " open descriptors (RLIMIT_NOFILE): raise it, or close connections sooner");
    }
    String wrong = peer.take(message, length, pending);
    if (wrong != null) {
      tally.refusedChannels.increment();
      junkLog.warn(name + ": closed a proxy's channel: " + wrong);
      end(peer.socket(), true);
    } else {
      owe(peer);
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
      pending.add(Arrival.plain(message.descriptor(i)));
    }
  }

  private void cannotReceive(Fd from, int errno) {
    switch (errno) {
      case Errno.EAGAIN, Errno.EINTR, Errno.ECONNRESET -> {
        // Ready for nothing, or interrupted: epoll tells when to come again. ECONNRESET: the proxy
        // ended without having read all acknowledgements; what it sent is still there.
      }
      case Errno.ENOMEM, Errno.ENOBUFS -> waitForRoom("recvmsg: " + Errno.name(errno));
      default -> {
        junkLog.warn(name + ": recvmsg: " + Errno.name(errno));
        end(from, true);
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
    boolean ambiguous = type == SocketType.STREAM && peekedBytes == PAYLOAD_BYTES;
    int drop = Math.min(peekedBytes, PAYLOAD_BYTES);
    if (ambiguous) {
      closeDescriptors();
    }
    int r;
    do {
      // A datagram or packet goes as a whole, of a stream exactly what was seen.
      r =
          ambiguous
              ? kernel.recvmsg(from, message, Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC)
              : kernel.recv(from, dropped, 0, drop, Linux.MSG_DONTWAIT);
    } while (r == -Errno.EINTR);
    return r == drop;
  }

  /**
   * Whether to keep a truncated message in the queue. One of which nothing fits waits for as long
   * as it takes: the process is full. One of which a part fits may be larger than a low limit will
   * ever allow, and would hold up all others; where connections are only offered, it is taken as
   * far as it fits.
   */
  private boolean mayStillFit(Fd from) {
    if (type == SocketType.ACKNOWLEDGED) {
      return message.descriptorCount() == 0;
    }
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

  /**
   * Ends a UNIX connection.
   *
   * @param byUs whether it is this receiver that ends it, and not the proxy
   */
  private void end(Fd from, boolean byUs) {
    if (from.equals(socket)) {
      // The hand-off socket itself failed to give a datagram. That passes.
      waitForRoom("the hand-off socket failed");
      return;
    }
    if (Objects.equals(from, truncatedAt)) {
      truncatedAt = null;
    }
    OfferChannel peer = acknowledged.remove(from);
    if (peer != null) {
      if (peer.owesAck()) {
        // What was given out must not go to another: the end gives back what is not settled.
        peer.acknowledge(draining, load.getAsInt());
      }
      peer.end(byUs);
      owing.remove(peer);
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
    if (!held) {
      acknowledge();
    }
    // Before the channels end: the proxies may then give what was not claimed to others.
    for (Arrival left = pending.poll(); left != null; left = pending.poll()) {
      kernel.close(left.fd());
    }
    for (Fd fd : List.copyOf(unixConnections)) {
      OfferChannel peer = acknowledged.remove(fd);
      if (peer != null) {
        peer.close();
      }
      kernel.close(fd);
      tally.openUnixConnections.decrement();
    }
    unixConnections.clear();
    kernel.close(epoll);
    kernel.close(wakeEpoll);
    if (log.isLoggable(Level.DEBUG)) {
      log.log(Level.DEBUG, name + ": closed: " + tally.snapshot());
    }
  }
}
