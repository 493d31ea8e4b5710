package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * One proxy loop's channel to an acknowledging receiver: what it may send, what has come, whose it
 * is (docs/protocol.md, version 1). Belongs to the thread that owns the {@link Intake}.
 *
 * <pre>{@code
 *          HELLO sent          HELLO came            OFFER                 claim
 * accepted ──────────> greeted ──────────> open ──────────────> arrived ──────────> the application's
 *                                                                  │ revoked
 *                                                                  └─────────> closed
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
  private final FromProxy message = new FromProxy();

  private boolean helloCame;
  private @Nullable SharedWords words;

  /** The number of the next connection to come, and of the first that is not settled. */
  private long arrived;

  private long settled;
  private int unclaimed;
  private long granted;
  private boolean ackOwed;
  private boolean ended;
  private boolean abandoned;

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

  /** The channel's socket, which the intake owns. */
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
   * Takes a message that came whole.
   *
   * @param from its descriptors belong to this method, or go into {@code to} with their owner
   * @return null, or what is wrong with it: then all of them are closed and the channel must end
   */
  @Nullable String take(Message from, int length, Queue<Arrival> to) {
    if (length > HandOff.MAX_MESSAGE_BYTES) {
      return refuse(from, "a message of more than " + HandOff.MAX_MESSAGE_BYTES + " bytes");
    }
    // Not a switch, which would be a class more to load.
    FromProxy.Kind kind = message.parse(from.payload(), length);
    if (kind == FromProxy.Kind.OFFER) {
      return offer(from, to);
    }
    if (kind == FromProxy.Kind.HELLO) {
      return hello(from);
    }
    return refuse(from, kind == FromProxy.Kind.UNKNOWN ? null : "a malformed message");
  }

  private @Nullable String hello(Message from) {
    if (helloCame) {
      return refuse(from, "a second HELLO");
    }
    if (message.version() != HandOff.VERSION) {
      return refuse(
          from,
          "it wants version "
              + message.version()
              + " of the protocol and this receiver speaks "
              + HandOff.VERSION
              + ": upgrade the older of the two");
    }
    int count = message.words();
    if (from.descriptorCount() != (count > 0 ? 1 : 0)) {
      return refuse(from, "a HELLO with " + from.descriptorCount() + " descriptors");
    }
    if (count > 0) {
      String wrong = map(from.descriptor(0), count);
      if (wrong != null) {
        return refuse(from, wrong);
      }
      close(from);
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

  private @Nullable String offer(Message from, Queue<Arrival> to) {
    int count = message.count();
    if (!helloCame) {
      return refuse(from, "an OFFER before HELLO");
    }
    if (message.first() != arrived || arrived + count > granted) {
      return refuse(
          from,
          "it offers "
              + count
              + " from number "
              + message.first()
              + " on, when "
              + arrived
              + " is next and numbers below "
              + granted
              + " were granted");
    }
    int came = from.descriptorCount();
    if (came > count || (came < count && !from.descriptorsTruncated())) {
      return refuse(from, "an OFFER of " + count + " with " + came + " descriptors");
    }
    // At this process's limit of descriptors only the first have come. The others are untouched,
    // and
    // go to somebody else.
    for (int i = came; i < count; i++) {
      if (send(FromReceiver.writeRefuse(out.bytes(), arrived + i)) < 0) {
        // The end of the channel says the same.
        return refuse(from, "a message for which there is no room");
      }
    }
    for (int i = 0; i < came; i++) {
      to.add(new Arrival(from.descriptor(i), this, arrived + i, message.metadata(i)));
    }
    unclaimed += came;
    arrived += count;
    settle();
    return null;
  }

  private @Nullable String refuse(Message from, @Nullable String why) {
    close(from);
    return why;
  }

  private void close(Message from) {
    for (int i = 0; i < from.descriptorCount(); i++) {
      kernel.close(from.descriptor(i));
    }
  }

  /**
   * Makes a connection this process's, and settles it.
   *
   * @return false when the proxy has taken it back: close it, another has it
   */
  boolean claim(long number) {
    SharedWords shared = words;
    boolean won;
    if (shared == null) {
      won = !abandoned;
    } else {
      int index = (int) (number & shared.count() - 1);
      won = shared.compareAndSet(index, ClaimWord.offered(number), ClaimWord.claimed(number));
    }
    // They leave in the order they came, so those before it are settled.
    unclaimed--;
    settled = number + 1;
    ackOwed = !ended;
    settle();
    return won;
  }

  /** Counts as settled what was given back, once nothing before it is left. */
  private void settle() {
    if (unclaimed == 0 && settled < arrived) {
      settled = arrived;
      ackOwed = !ended;
    }
    release();
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
   * Notes that the channel has ended. What arrived may still be claimed, if the proxy cannot give
   * it to others meanwhile.
   *
   * @param byUs whether it was this receiver that ended it: then the proxy does so
   */
  void end(boolean byUs) {
    ended = true;
    abandoned = byUs;
    ackOwed = false;
    release();
  }

  /** Ends it when nothing that arrived will be claimed any more. */
  void close() {
    unclaimed = 0;
    end(true);
  }

  /** Gives the page back once nobody needs it. */
  private void release() {
    SharedWords shared = words;
    if (ended && unclaimed == 0 && shared != null) {
      words = null;
      kernel.munmap(shared);
    }
  }
}
