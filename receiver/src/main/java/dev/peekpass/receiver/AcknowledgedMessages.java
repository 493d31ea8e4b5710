package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.wire.HandOff;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.function.IntSupplier;

/**
 * Messages of the acknowledged method: connections are offered, claimed one by one, and settled by
 * acknowledgements. Each UNIX connection is an {@link OfferChannel}.
 *
 * <pre>{@code
 * in the queue ──peek──> a part has come? ──yes──> dropped from the queue ──> arrived ──> claimed
 *      ^                   │no: MSG_CTRUNC             │ the others: given back    │ given out
 *      └───────────────────┘                           v                           v
 *                                                   REFUSE                 owing ──> ACK
 * }</pre>
 */
final class AcknowledgedMessages implements Messages {
  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;

  /** One byte more than may come, to tell what is too long. */
  private static final int PAYLOAD_BYTES = HandOff.MAX_MESSAGE_BYTES + 1;

  private final Kernel kernel;
  private final Watch watch;
  private final int credits;
  private final IntSupplier load;
  private final String name;
  private final DescriptorLimit limit;
  private final Tally tally;
  private final RateLimitedLog log;
  private final Message message = new Message(PAYLOAD_BYTES, Linux.SCM_MAX_FD);
  private final NativeBuffer dropped = new NativeBuffer(1);
  private final Map<Fd, OfferChannel> channels = new HashMap<>();

  /** Those of them that are owed an ACK. */
  private final List<OfferChannel> owing = new ArrayList<>();

  private boolean draining;

  /**
   * Begins with none.
   *
   * @param credits how many connections a proxy's loop may have offered and not acknowledged
   * @param load how busy the application is, for the proxies
   * @param name the receiver's, for the log
   */
  AcknowledgedMessages(
      Kernel kernel,
      Watch watch,
      int credits,
      IntSupplier load,
      String name,
      DescriptorLimit limit,
      Tally tally,
      ReceiverLog log) {
    this.kernel = kernel;
    this.watch = watch;
    this.credits = credits;
    this.load = load;
    this.name = name;
    this.limit = limit;
    this.tally = tally;
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
  }

  @Override
  public boolean opened(Fd connection) {
    OfferChannel channel = new OfferChannel(kernel, connection, credits);
    channels.put(connection, channel);
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
  public Result receive(Fd from, Queue<Arrival> arrived) {
    int n =
        kernel.recvmsg(from, message, Linux.MSG_PEEK | Linux.MSG_DONTWAIT | Linux.MSG_CMSG_CLOEXEC);
    if (n < 0) {
      return cannotReceive(-n);
    }
    if (n == 0) {
      return Result.ENDED;
    }
    if (message.descriptorsTruncated() && message.descriptorCount() == 0) {
      limit.reached("a message has more descriptors than there is room for");
      return Result.ONE;
    }
    if (!consume(from)) {
      // Peeking again would give the same descriptors twice.
      closeDescriptors();
      return Result.BROKEN;
    }
    return take(Objects.requireNonNull(channels.get(from)), n, arrived);
  }

  private Result cannotReceive(int errno) {
    return switch (errno) {
      // Ready for nothing, or interrupted: epoll tells when to come again. ECONNRESET: the proxy
      // ended without having read all acknowledgements; what it sent is still there.
      case Errno.EAGAIN, Errno.EINTR, Errno.ECONNRESET -> Result.NONE;
      case Errno.ENOMEM, Errno.ENOBUFS -> {
        limit.reached("recvmsg: " + Errno.name(errno));
        yield Result.NONE;
      }
      default -> {
        log.warn(name + ": recvmsg: " + Errno.name(errno));
        yield Result.BROKEN;
      }
    };
  }

  /** Removes what was peeked at from the queue; returns false when that failed. */
  private boolean consume(Fd from) {
    int r;
    do {
      // A packet goes as a whole.
      r = kernel.recv(from, dropped, 0, dropped.capacity(), Linux.MSG_DONTWAIT);
    } while (r == -Errno.EINTR);
    return r == dropped.capacity();
  }

  private Result take(OfferChannel channel, int length, Queue<Arrival> arrived) {
    limit.passed();
    if (message.descriptorsTruncated()) {
      tally.truncated.increment();
      limit.warn("gave connections back to the proxy until there is room");
    }
    String wrong = channel.take(message, length, arrived);
    if (wrong != null) {
      tally.refusedChannels.increment();
      log.warn(name + ": closed a proxy's channel: " + wrong);
      return Result.BROKEN;
    }
    owe(channel);
    return Result.ONE;
  }

  private void closeDescriptors() {
    for (int i = 0; i < message.descriptorCount(); i++) {
      kernel.close(message.descriptor(i));
    }
  }

  @Override
  public boolean claim(Arrival arrival) {
    OfferChannel from = Objects.requireNonNull(arrival.from());
    boolean won = from.claim(arrival.number());
    if (!won) {
      kernel.close(arrival.fd());
      tally.takenBack.increment();
    }
    owe(from);
    return won;
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
      if (channel.owesAck() && !channel.acknowledge(draining, load.getAsInt())) {
        watch.watchFor(channel.socket(), true);
      }
    }
    owing.clear();
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
  public void ending(Fd connection, boolean byUs) {
    OfferChannel channel = channels.remove(connection);
    if (channel == null) {
      return;
    }
    if (channel.owesAck()) {
      // What was given out must not go to another: the end gives back what is not settled.
      channel.acknowledge(draining, load.getAsInt());
    }
    channel.end(byUs);
    owing.remove(channel);
  }

  @Override
  public void close() {
    for (OfferChannel channel : channels.values()) {
      channel.close();
    }
    channels.clear();
  }
}
