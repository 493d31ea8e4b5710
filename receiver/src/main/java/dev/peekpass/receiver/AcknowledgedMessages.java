package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.wire.HandOff;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Messages of the acknowledged method: connections are offered, claimed one by one, and settled by
 * acknowledgements. Each UNIX connection is an {@link OfferChannel}.
 *
 * <pre>{@code
 * in the queue ──peek──> a part has come? ──yes──> dropped from the queue ──> left ───> claimed
 *      ^                   │no: MSG_CTRUNC             │ the others: given back    │ given out
 *      └───────────────────┘                           v                           v
 *                                                   REFUSE                 owing ──> ACK
 * }</pre>
 */
final class AcknowledgedMessages implements Messages {
  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;

  /** One byte more than may come, to tell what is too long. */
  private static final int PAYLOAD_BYTES = HandOff.MAX_MESSAGE_BYTES + 1;

  /** A packet goes as a whole, however little of it is received. */
  private static final int DROPPED_BYTES = 1;

  private final Kernel kernel;
  private final Watch watch;
  private final int credits;
  private final String name;
  private final DescriptorLimit limit;
  private final Tally tally;
  private final RateLimitedLog log;
  private final IncomingMessage message;
  private final Map<Fd, OfferChannel> channels = new HashMap<>();

  /** Those of them that are owed an ACK. */
  private final ArrayList<OfferChannel> owing = new ArrayList<>();

  /** By which the connections came that are left in the message. */
  private @Nullable OfferChannel offering;

  /** Whether the first of those is claimed, and not given out. */
  private boolean claimed;

  private volatile int load = HandOff.LOAD_UNKNOWN;
  private boolean draining;

  /**
   * Begins with none.
   *
   * @param credits how many connections a proxy's loop may have offered and not acknowledged
   * @param name the receiver's, for the log
   */
  AcknowledgedMessages(
      Kernel kernel,
      Watch watch,
      DescriptorRefusal refusal,
      int credits,
      String name,
      DescriptorLimit limit,
      Tally tally,
      ReceiverLog log) {
    this.kernel = kernel;
    this.watch = watch;
    this.credits = credits;
    this.name = name;
    this.limit = limit;
    this.tally = tally;
    message = new IncomingMessage(kernel, refusal, PAYLOAD_BYTES, DROPPED_BYTES);
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
  }

  @Override
  public boolean opened(Fd connection) {
    OfferChannel channel = new OfferChannel(kernel, connection, credits);
    channels.put(connection, channel);
    // So that to owe one never fails for want of memory.
    owing.ensureCapacity(channels.size());
    if (channel.greet() < 0) {
      return false;
    }
    if (draining) {
      channel.owe();
      owe(channel);
    }
    return true;
  }

  @Override
  public Result receive(Fd from) {
    boolean keep = false;
    try {
      int n = message.peek(from);
      if (n < 0) {
        return Messages.cannotReceive(-n, name, limit, log);
      }
      if (n == 0) {
        return withoutBytes();
      }
      if (message.isTruncated() && message.isEmpty()) {
        limit.reached("a message has more descriptors than there is room for");
        return Result.ONE;
      }
      if (message.drop(from, DROPPED_BYTES) != DROPPED_BYTES) {
        // Peeking again would give the same descriptors twice.
        return Result.BROKEN;
      }
      Result result = read(from, n);
      keep = result == Result.ONE;
      return result;
    } finally {
      if (!keep) {
        message.refuseAll();
      }
    }
  }

  /** The end of the channel, or a packet without a byte: the same but for its descriptors. */
  private Result withoutBytes() {
    if (message.isEmpty() && !message.isTruncated()) {
      return Result.ENDED;
    }
    return broken("a message with descriptors and without a byte");
  }

  /** Reads a message that is dropped from the queue: it is lost if this fails. */
  private Result read(Fd from, int length) {
    boolean read = false;
    try {
      limit.passed();
      if (message.isTruncated()) {
        tally.truncated.increment();
        limit.warn("gave connections back to the proxy until there is room");
      }
      OfferChannel channel = Objects.requireNonNull(channels.get(from));
      String wrong = channel.read(message, length);
      Result result = Result.ONE;
      if (wrong != null) {
        result = broken(wrong);
      } else {
        offering = channel;
        claimed = false;
        owe(channel);
      }
      read = true;
      return result;
    } finally {
      if (!read) {
        // The next look finds the channel's end: what was not claimed goes back.
        kernel.shutdown(from, Linux.SHUT_RD);
      }
    }
  }

  private Result broken(String why) {
    tally.refusedChannels.increment();
    log.warn(name + ": closed a proxy's channel: " + why);
    return Result.BROKEN;
  }

  @Override
  public int left() {
    return message.left();
  }

  @Override
  public @Nullable Arrival next() {
    OfferChannel from = offering;
    while (from != null && !message.isEmpty()) {
      // Made before it is claimed: should that fail, nothing has happened.
      Arrival first = new Arrival(message.first(), from.metadata(message.firstIndex()));
      if (!claimed) {
        claimed = from.claim(message.firstIndex());
        owe(from);
      }
      if (claimed) {
        return first;
      }
      message.leaveFirst();
      tally.takenBack.increment();
    }
    return null;
  }

  @Override
  public void given() {
    claimed = false;
    message.take();
  }

  private void owe(OfferChannel channel) {
    if (channel.owesAck() && !owing.contains(channel)) {
      owing.add(channel);
    }
  }

  @Override
  public void hasRoom(Fd connection) {
    watch.watchFor(connection, false);
    OfferChannel channel = channels.get(connection);
    if (channel != null) {
      owe(channel);
    }
  }

  @Override
  public void acknowledge() {
    for (int i = 0; i < owing.size(); i++) {
      OfferChannel channel = owing.get(i);
      if (channel.owesAck() && !channel.acknowledge(draining, load)) {
        watch.watchFor(channel.socket(), true);
      }
    }
    owing.clear();
  }

  @Override
  public void load(int thousandths) {
    load = thousandths;
  }

  @Override
  public void drain() {
    draining = true;
    for (OfferChannel channel : channels.values()) {
      channel.owe();
      owe(channel);
    }
  }

  @Override
  public void ending(Fd connection) {
    OfferChannel channel = channels.remove(connection);
    if (channel == null) {
      return;
    }
    owing.remove(channel);
    try {
      if (channel.owesAck()) {
        // What was given out must not go to another: the end gives back what is not settled.
        channel.acknowledge(draining, load);
      }
    } finally {
      channel.end();
    }
  }

  @Override
  public void close() {
    // Before the channels end: the proxies may then give what was not claimed to others.
    message.refuseAll();
    for (OfferChannel channel : channels.values()) {
      channel.end();
    }
    channels.clear();
  }
}
