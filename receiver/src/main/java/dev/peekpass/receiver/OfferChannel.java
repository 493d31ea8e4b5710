package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.Metadata;
import org.jspecify.annotations.Nullable;

/**
 * One proxy loop's channel to an acknowledging receiver: what it may send, what has come, whose it
 * is (docs/protocol.md, version 1). Owns the claim page and no descriptor. Belongs to the thread
 * that owns the {@link Intake}.
 *
 * <pre>{@code
 *          HELLO sent          HELLO came            OFFER                 claim
 * accepted ──────────> greeted ──────────> open ──────────────> arrived ──────────> the application's
 *                                                                  │ revoked
 *                                                                  └─────────> refused
 * }</pre>
 *
 * Either way the connection is settled, which the next ACK tells.
 */
final class OfferChannel {
  /** How many connections one message may bring at most, and of all descriptors which part. */
  private static final int MOST_AT_ONCE = 64;

  private static final int LIMIT_PART = 16;

  /** Room for the longest message to a proxy. */
  private static final int OUT_BYTES = 64;

  private static final int SEALS = Linux.F_SEAL_SHRINK | Linux.F_SEAL_GROW;

  private final Kernel kernel;
  private final Fd socket;
  private final int credits;
  private final NativeBuffer out = new NativeBuffer(OUT_BYTES);
  private final FromProxy view = new FromProxy();

  private boolean helloCame;
  private @Nullable SharedWords words;

  /** The number of the next connection to come, and of the first that is not settled. */
  private long arrived;

  private long settled;

  /** Of the last message: the number of its first connection, and how many are not claimed. */
  private long first;

  private int unclaimed;
  private long granted;
  private boolean ackOwed;

  /**
   * Takes charge of the channel's state, not of its socket.
   *
   * @param credits how many connections may be offered and not settled, 1 to {@link
   *     HandOff#MAX_CLAIM_WORDS}
   */
  OfferChannel(Kernel kernel, Fd socket, int credits) {
    this.kernel = kernel;
    this.socket = socket;
    this.credits = credits;
  }

  /** The channel's socket, which goes on being {@link UnixConnections}'. */
  Fd socket() {
    return socket;
  }

  /** Says hello; returns 0 or -errno. */
  int greet() {
    granted = credits;
    int part = kernel.getrlimit(Linux.RLIMIT_NOFILE) / LIMIT_PART;
    int most = Math.clamp(part, 1, MOST_AT_ONCE);
    int length = FromReceiver.writeHello(out.bytes(), most, true, granted);
    return Math.min(send(length), 0);
  }

  /**
   * Reads a message, of which the connections that came are then to be claimed one after the other.
   *
   * @param message keeps its descriptors, and must not change until all are claimed
   * @return null, or what is wrong with it: then the channel must end
   */
  @Nullable String read(IncomingMessage message, int length) {
    if (length > HandOff.MAX_MESSAGE_BYTES) {
      return "a message of more than " + HandOff.MAX_MESSAGE_BYTES + " bytes";
    }
    // Not a switch, which would be a class more to load.
    FromProxy.Kind kind = view.parse(message.payload(), length);
    if (kind == FromProxy.Kind.OFFER) {
      return offer(message);
    }
    if (kind == FromProxy.Kind.HELLO) {
      return hello(message);
    }
    message.refuseAll();
    return kind == FromProxy.Kind.UNKNOWN ? null : "a malformed message";
  }

  private @Nullable String hello(IncomingMessage message) {
    if (helloCame) {
      return "a second HELLO";
    }
    if (view.version() != HandOff.VERSION) {
      return "it wants version "
          + view.version()
          + " of the protocol and this receiver speaks "
          + HandOff.VERSION
          + ": upgrade the older of the two";
    }
    int count = view.words();
    if (message.left() != (count > 0 ? 1 : 0)) {
      return "a HELLO with " + message.left() + " descriptors";
    }
    if (count > 0) {
      String wrong = map(message.first(), count);
      if (wrong != null) {
        return wrong;
      }
      message.refuseAll();
    }
    helloCame = true;
    return null;
  }

  /** Maps the page; returns null, or why not. An unsealed file could end this process (SIGBUS). */
  private @Nullable String map(Fd page, int count) {
    int seals = kernel.fcntl(page, Linux.F_GET_SEALS, 0);
    if (seals < 0 || (seals & SEALS) != SEALS) {
      return "a page that is not sealed against shrinking";
    }
    SharedWords shared = new SharedWords(count);
    if (kernel.lseek(page, 0, Linux.SEEK_END) < shared.bytes()) {
      return "a page that is too short for its " + count + " words";
    }
    int r = kernel.mmap(page, shared);
    if (r < 0) {
      return "a page that cannot be mapped: mmap: " + Errno.name(-r);
    }
    words = shared;
    return null;
  }

  private @Nullable String offer(IncomingMessage message) {
    int count = view.count();
    if (!helloCame) {
      return "an OFFER before HELLO";
    }
    if (view.first() != arrived || arrived + count > granted) {
      return "it offers "
          + count
          + " from number "
          + view.first()
          + " on, when "
          + arrived
          + " is next and numbers below "
          + granted
          + " were granted";
    }
    int came = message.left();
    if (came > count || (came < count && !message.isTruncated())) {
      return "an OFFER of " + count + " with " + came + " descriptors";
    }
    // At this process's limit of descriptors only the first have come. The others are untouched,
    // and go to somebody else.
    for (int i = came; i < count; i++) {
      if (send(FromReceiver.writeRefuse(out.bytes(), arrived + i)) < 0) {
        // The end of the channel says the same.
        return "a message for which there is no room";
      }
    }
    first = arrived;
    arrived += count;
    unclaimed = came;
    settle();
    return null;
  }

  /** What the proxy says about one of the last message's connections, by its place from 0 on. */
  Metadata metadata(int index) {
    return view.metadata(index);
  }

  /**
   * Makes one of the last message's connections this process's, and settles it.
   *
   * @param index its place in the message, from 0 on, each in turn
   * @return false when the proxy has taken it back: refuse it, another has it
   */
  boolean claim(int index) {
    long number = first + index;
    SharedWords shared = words;
    boolean won = true;
    if (shared != null) {
      int word = (int) (number & shared.count() - 1);
      won = shared.compareAndSet(word, ClaimWord.offered(number), ClaimWord.claimed(number));
    }
    // They leave in the order they came, so those before it are settled.
    unclaimed--;
    settled = number + 1;
    ackOwed = true;
    settle();
    return won;
  }

  /** Counts as settled what was given back, once nothing before it is left. */
  private void settle() {
    if (unclaimed == 0 && settled < arrived) {
      settled = arrived;
      ackOwed = true;
    }
  }

  /** Whether an ACK is to be sent. */
  boolean owesAck() {
    return ackOwed;
  }

  /** Makes the next ACK be sent, though nothing may be new. */
  void owe() {
    ackOwed = true;
  }

  /**
   * Sends the ACK that is owed.
   *
   * @param load 0 to 1000, or {@link HandOff#LOAD_UNKNOWN}
   * @return false when there is no room for it now
   */
  boolean acknowledge(boolean draining, int load) {
    if (!draining) {
      granted = settled + credits;
    }
    int r = send(FromReceiver.writeAck(out.bytes(), draining, load, settled, granted));
    // A proxy that has gone needs none.
    ackOwed = r == -Errno.EAGAIN;
    return !ackOwed;
  }

  private int send(int length) {
    int r;
    do {
      r = kernel.send(socket, out, 0, length, Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL);
    } while (r == -Errno.EINTR);
    return r;
  }

  /**
   * Gives the page back. What was not claimed may not be any more: from the end of its socket on
   * the proxy may give it to others.
   */
  void end() {
    SharedWords shared = words;
    words = null;
    if (shared != null) {
      kernel.munmap(shared);
    }
  }
}
