package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.proxy.config.BackendConfig;
import dev.peekpass.proxy.connection.Batch;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Holder;
import dev.peekpass.proxy.status.ChannelState;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.turn.LineLimit;
import dev.peekpass.proxy.turn.Turn;

/**
 * The way to one UNIX socket of a backend, for one loop. A subclass a hand-off method.
 *
 * <p>{@link #pass} sends duplicates of descriptors. What the receiver then has leaves its container
 * within that call: it has ended, or it is offered and stands in the channel until it is
 * acknowledged. What it has not stays where it stands.
 */
public abstract class Channel {
  /**
   * The most that go into one message where the receiver says how many it takes: a few tens spread
   * the cost of the call, more only hold up others.
   */
  public static final int MOST_AT_ONCE = 64;

  final Turn turn;
  final Kernel kernel;
  final Passing backend;
  final BackendConfig config;
  final String path;
  final Reach reach;

  /** Until when nothing is tried, since the receiver ends what is begun. */
  final Rest rest = new Rest();

  private final SockAddr address = new SockAddr();
  private final IncomingDescriptors incoming;
  private final LineLimit strangers = new LineLimit();
  private long passedCount;

  /** Who listens, as far as is known; replaced when another one does. */
  private Holder holder;

  /** How many of a batch are in a message that is being sent. */
  private int inFlight;

  Channel(Turn turn, Passing backend, BackendConfig config, String path) {
    this.turn = turn;
    this.kernel = turn.kernel();
    this.backend = backend;
    this.config = config;
    this.path = path;
    reach = new Reach(turn, backend, config.name(), path);
    incoming = new IncomingDescriptors(kernel);
    address.unix(path);
    holder = holder(Holder.UNKNOWN);
  }

  /**
   * Makes a channel by a backend's method that connects when it is first used.
   *
   * @param path one of the backend's sockets
   */
  public static Channel of(
      Turn turn, Ending ending, Passing backend, BackendConfig config, String path) {
    return switch (config.method()) {
      case ONCE -> new OnceChannel(turn, backend, config, path);
      case PERSISTENT -> new ConnectedChannel(turn, backend, config, path, Linux.SOCK_STREAM);
      case DATAGRAM -> new ConnectedChannel(turn, backend, config, path, Linux.SOCK_DGRAM);
      case ACKNOWLEDGED -> new AcknowledgedChannel(turn, ending, backend, config, path);
      case AUTO -> new AutoChannel(turn, ending, backend, config, path);
    };
  }

  /** The path of its UNIX socket. */
  public final String path() {
    return path;
  }

  /**
   * Passes connections to the receiver in one message: all, or as many of the first as go into it.
   * Those leave the batch and the container in which they stood.
   *
   * @param batch not empty
   * @return how many were passed; 0 when the receiver's queue is full or nobody is there: try again
   *     when told so, or a little later
   */
  public abstract int pass(Batch batch);

  /** Who has what was passed. */
  public Holder holder() {
    return holder;
  }

  /** A socket has been connected: finds out who is at its other end. */
  final void meet(Fd socket) {
    int uid = Math.max(kernel.peerUid(socket), Holder.UNKNOWN);
    if (uid != holder.uid()) {
      holder = holder(uid);
      if (!holder.isTrusted() && strangers.allows(turn.nowNanos())) {
        turn.log()
            .info(
                "backend {}: unix:{} belongs to uid {}, which is not trusted (trust): another thread"
                    + " closes what it has had, and what is taken back goes to receivers of"
                    + " that user only{}",
                config.name(),
                path,
                uid,
                strangers.leftOut());
      }
    }
  }

  /** Whether a receiver says what it has, and the proxy keeps it until then. */
  boolean acknowledges() {
    return false;
  }

  private Holder holder(int uid) {
    boolean trusted =
        switch (config.trust()) {
          case ALWAYS -> true;
          case NEVER -> false;
          // Whoever has no number in this user namespace seems to be the overflow uid.
          case AUTO -> uid == 0 || (uid == turn.euid() && uid != Holder.OVERFLOW_UID);
        };
    return new Holder(config.name(), uid, trusted, acknowledges(), backend.aside());
  }

  /**
   * Whether the receiver may be given the first of a batch, and is not the cause that too many
   * descriptors wait to be closed.
   */
  final boolean mayHave(Batch batch) {
    if (holder.isFull()) {
      turn.count(Counter.CHANNEL_FULL);
      return false;
    }
    return batch.get(0).mayGoTo(holder);
  }

  /** Takes the first of a batch over, which have just been sent: all, whatever one throws. */
  final void takeOver(Batch batch, int count) {
    inFlight = 0;
    Error first = null;
    for (int i = 0; i < count; i++) {
      Connection connection = batch.get(0);
      batch.removeFirst();
      connection.sharedWith(holder);
      try {
        taken(connection);
      } catch (RuntimeException e) {
        turn.fault("backend " + config.name() + ": a connection was passed and could not end", e);
      } catch (Error e) {
        first = e;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** As {@link #send(Fd, Message)}, of a message with so many of the first of a batch. */
  final int send(Fd socket, Message message, int connections) {
    inFlight = connections;
    int r = send(socket, message);
    if (r < 0) {
      inFlight = 0;
    }
    return r;
  }

  /**
   * After {@link #pass} has thrown: how many of the first of the batch were in a message of which
   * nobody knows whether it was sent.
   */
  public int takeInFlight() {
    int count = inFlight;
    inFlight = 0;
    return count;
  }

  /** Takes over a connection that has just been sent: ends it, or keeps it until it is answered. */
  abstract void taken(Connection connection);

  /**
   * {@link #pass} has thrown: gives up the UNIX connection, of which nobody knows what went into
   * it.
   */
  public abstract void abort();

  /** How the way is, as far as is known without trying. */
  public ChannelState state() {
    return reach.state();
  }

  /** Why the way is as {@link #state} says, in a few words; empty when there is nothing to say. */
  public String reason() {
    return state() == reach.state() ? reach.reason() : "";
  }

  /** Connects before there is a connection to pass, so that it is known whether that can be. */
  public void connectAhead() {
    prepare();
    reach.beginAnew();
  }

  /**
   * Connects, if it is not connected and needs to be.
   *
   * @return false when it cannot
   */
  public boolean prepare() {
    return true;
  }

  /** Whether {@link #pass} makes sense now, as far as is known without trying. */
  public abstract boolean isReady();

  /**
   * Whether a receiver is there, or nothing says that none is: one that is merely full is, one that
   * drains or hangs is not.
   */
  public boolean isThere() {
    return reach.isUp();
  }

  /** Whether it has connected just now and the receiver has not said hello yet. */
  public boolean isGreeting() {
    return false;
  }

  /**
   * What the receiver has not received of what was sent without an answer to come, in bytes of the
   * kernel's.
   *
   * @param more how many connections count as sent beside those that are
   */
  public long unreceivedBytes(int more) {
    return 0;
  }

  /**
   * How much it has to do as far as is known in band, in millionths, of its room and of what its
   * receiver can do.
   *
   * @param more how many connections count as sent beside those that are
   */
  public long busyMillionths(int more) {
    return 0;
  }

  /** Ends a connection that is the receiver's. */
  final void endPassed(Connection connection) {
    passedCount++;
    backend.handedOff(connection);
  }

  /** How many connections have become the receiver's. */
  public long passedCount() {
    return passedCount;
  }

  /** How many it was offered and has not acknowledged. */
  public int unsettled() {
    return 0;
  }

  /** How busy the receiver says it is, in thousandths, or -1 when it does not say. */
  public int load() {
    return -1;
  }

  /**
   * Does what is due.
   *
   * @return when something is due next, or {@link Long#MAX_VALUE}
   */
  public long runTimers(long nowNanos) {
    return Long.MAX_VALUE;
  }

  /** Whether it keeps no connection. */
  public boolean isIdle() {
    return true;
  }

  /** Closes whatever it holds. */
  public abstract void close();

  /**
   * Opens a socket and connects it to the path.
   *
   * @param type SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
   * @return a connected, non-blocking socket that the caller owns; or -errno, with nothing left
   *     open
   */
  public final int connect(int type) {
    int flags = Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(Linux.AF_UNIX, type | flags, 0);
    if ((r == -Errno.EMFILE || r == -Errno.ENFILE) && turn.spare().lend()) {
      // What is passed over this socket frees a descriptor.
      r = kernel.socket(Linux.AF_UNIX, type | flags, 0);
    }
    if (r < 0) {
      return r;
    }
    Fd socket = Fd.of(r);
    int c = -1;
    try {
      int barred = incoming.bar(socket, type);
      do {
        c = barred < 0 ? barred : kernel.connect(socket, address);
      } while (c == -Errno.EINTR);
    } finally {
      if (c < 0) {
        closeSocket(socket);
      }
    }
    if (c >= 0) {
      reach.connected();
      turn.count(Counter.CHANNEL_OPENED);
    }
    return c < 0 ? c : r;
  }

  /** Closes a socket of {@link #connect}, which may have taken the spare one's place. */
  public final void closeSocket(Fd socket) {
    kernel.close(socket);
    turn.spare().restore();
  }

  /** Sends a message as it is; returns what sendmsg does, never -EINTR. */
  public final int send(Fd socket, Message message) {
    int r;
    do {
      r = kernel.sendmsg(socket, message, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    } while (r == -Errno.EINTR);
    return r;
  }

  /**
   * Whether it is time to try to connect: not every connection shall pay for an attempt in vain
   * while others take them, and what ends all that is begun shall rest.
   */
  public final boolean mayConnect() {
    return !rest.isOn(turn.nowNanos()) && (reach.isDue() || backend.triesAll());
  }

  /**
   * Whether a failed sendmsg means that the way is full rather than gone. ETOOMANYREFS: too many
   * descriptors of this user are in flight (unix(7)).
   */
  public static boolean isFull(int errno) {
    return switch (errno) {
      case Errno.EAGAIN, Errno.ENOBUFS, Errno.ENOMEM, Errno.ETOOMANYREFS -> true;
      default -> false;
    };
  }

  /** Whether sockets of a type are shut down for reading, since the kernel knows no other way. */
  final boolean isShutForReading(int type) {
    return incoming.mayBeQueued() && type == Linux.SOCK_STREAM;
  }

  /** Whether receivers may send descriptors over a seqpacket socket, for all the kernel does. */
  boolean mayBringDescriptors() {
    return incoming.mayBeQueued();
  }
}
