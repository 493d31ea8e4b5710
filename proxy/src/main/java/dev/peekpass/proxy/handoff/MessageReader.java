package dev.peekpass.proxy.handoff;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.turn.Burst;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.FromReceiver;
import org.jspecify.annotations.Nullable;

/**
 * Reads what a receiver says over a seqpacket socket, and bears no flood of messages that settle
 * nothing.
 */
final class MessageReader {
  /** How many messages are read before others get their turn. */
  private static final int MOST_READS = 16;

  /**
   * How many messages that settle nothing are borne in {@link #IDLE_NANOS} before the receiver is
   * taken for broken. One that tells of its load each millisecond stays below it.
   */
  private static final int MOST_IDLE = 4096;

  private static final long IDLE_NANOS = 4_000_000_000L;

  private static final int BYTES = 64;

  private static final int LOOK_FLAGS = Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC;

  /** Instead of a length: the next message brings descriptors. */
  private static final int DESCRIPTORS = Integer.MIN_VALUE;

  /** What is done with what a receiver says. */
  interface Hearer {
    /** Whether messages may bring descriptors, which this kernel does not keep away. */
    boolean mayBringDescriptors();

    /** The socket; null once it is closed, which ends the reading. */
    @Nullable Fd socket();

    /** How many connections the receiver has settled. */
    long settled();

    /**
     * A message has come.
     *
     * @return null, or what is wrong with it
     */
    @Nullable String onMessage(FromReceiver.Kind kind, FromReceiver message);

    /** The receiver breaks the protocol. */
    void onBreach(String what);

    /** The receiver has ended the connection; it has none of its connections any more. */
    void onEnd();

    /** The socket fails; the receiver may be working on what it has claimed. */
    void onFailure(String what);
  }

  private final Turn turn;
  private final Kernel kernel;
  private final Hearer hearer;
  private final NativeBuffer in = new NativeBuffer(BYTES);
  private final FromReceiver view = new FromReceiver();
  private final Burst messages = new Burst();

  /** For {@link #look}; made when it is needed. */
  private @Nullable Message look;

  private int idle;
  private long idleSinceNanos;

  MessageReader(Turn turn, Hearer hearer) {
    this.turn = turn;
    this.hearer = hearer;
    kernel = turn.kernel();
  }

  /** A new receiver begins. */
  void begin() {
    idle = 0;
  }

  /** Connections were offered: a message about each is no flood, whether it settles any or not. */
  void expect(int connections) {
    idle = Math.max(0, idle - connections);
  }

  /**
   * Reads a message, and further ones where several lately came. The socket is watched
   * level-triggered: what is left is reported again.
   */
  void readSome() {
    boolean again = read();
    if (!again || !turn.isSaturated() || !messages.isWorthLooking(1)) {
      return;
    }
    int count = 1;
    while (count < MOST_READS && read()) {
      count++;
    }
    messages.saw(count);
  }

  /** Reads one message; returns whether there may be another. */
  private boolean read() {
    Fd from = hearer.socket();
    if (from == null) {
      return false;
    }
    int n = receive(from);
    if (n == 0) {
      // recv(2) finds the queue empty, and only then asks whether the other end has closed. What
      // was sent between the two is still there; now that it has closed, no more can come.
      n = receive(from);
    }
    if (n == DESCRIPTORS) {
      hearer.onBreach("it sends descriptors");
      return false;
    }
    if (n > 0) {
      String breach = take(n);
      if (breach != null) {
        hearer.onBreach(breach);
      }
      return true;
    }
    switch (-n) {
      case Errno.EAGAIN -> {
        return false;
      }
      case Errno.EINTR, Errno.ECONNRESET -> {
        // It ended with offers unread: what it has acknowledged before is still there.
        return true;
      }
      case 0 -> hearer.onEnd();
      default -> hearer.onFailure("recv: " + Errno.name(-n));
    }
    return false;
  }

  /** As recv(2), or {@link #DESCRIPTORS}. */
  private int receive(Fd from) {
    if (hearer.mayBringDescriptors()) {
      int seen = look(from);
      if (seen <= 0) {
        return seen;
      }
    }
    return kernel.recv(from, in, 0, BYTES, Linux.MSG_DONTWAIT);
  }

  /**
   * Looks at the next message, which stays in the queue. So its descriptors, of which this makes
   * copies, are not let go of for the last time here: that might wait.
   */
  private int look(Fd from) {
    Message peeked = look;
    if (peeked == null) {
      peeked = new Message(BYTES, 1);
      look = peeked;
    }
    int n = kernel.recvmsg(from, peeked, Linux.MSG_PEEK | LOOK_FLAGS);
    if (n < 0) {
      return n;
    }
    for (int i = 0; i < peeked.descriptorCount(); i++) {
      kernel.close(peeked.descriptor(i));
    }
    return peeked.descriptorCount() > 0 || peeked.descriptorsTruncated() ? DESCRIPTORS : n;
  }

  private @Nullable String take(int length) {
    FromReceiver.Kind kind = view.parse(in.bytes(), length);
    if (kind == FromReceiver.Kind.MALFORMED) {
      return "a malformed message";
    }
    long before = hearer.settled();
    String breach = hearer.onMessage(kind, view);
    boolean settles = kind == FromReceiver.Kind.HELLO || hearer.settled() != before;
    return breach == null && !settles ? countIdle() : breach;
  }

  /** A message that settles nothing may come now and then, but not in a flood. */
  private @Nullable String countIdle() {
    if (turn.nowNanos() - idleSinceNanos > IDLE_NANOS) {
      idleSinceNanos = turn.nowNanos();
      idle = 0;
    }
    idle++;
    return idle <= MOST_IDLE
        ? null
        : "more than %d messages in %d s that settle nothing"
            .formatted(MOST_IDLE, IDLE_NANOS / 1_000_000_000L);
  }
}
