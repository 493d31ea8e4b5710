package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.wire.Metadata;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Messages by the plain methods, {@code once}, {@code persistent} and {@code datagram}: one byte
 * and descriptors, which are this process's as soon as the message is.
 *
 * <pre>{@code
 * in the queue ──peek──> whole? ──yes──> dropped from the queue ──> arrived
 *      ^                   │no: MSG_CTRUNC
 *      └───────────────────┴── for too long, under a low limit ──> dropped, all closed
 * }</pre>
 */
final class PlainMessages implements Messages {
  /** How long a message with more descriptors than there is room for is tried. */
  private static final long TRUNCATED_PATIENCE_NANOS = 10_000_000_000L;

  /** With this limit of open descriptors the largest message there is fits sooner or later. */
  private static final int ROOMY_LIMIT = 2 * (Linux.SCM_MAX_FD + 3);

  /** A message has one byte; a few more are taken at a time from those who send more. */
  private static final int PAYLOAD_BYTES = 64;

  private static final long LOG_INTERVAL_NANOS = 1_000_000_000L;

  private final Kernel kernel;
  private final SocketType type;
  private final String name;
  private final PeerPolicy peers;
  private final DescriptorLimit limit;
  private final Tally tally;
  private final RateLimitedLog log;
  private final IncomingMessage message;

  /** Whose first message did not fit, and since when; null when none. */
  private @Nullable Fd truncatedAt;

  private long truncatedSinceNanos;

  /**
   * Begins with none.
   *
   * @param type {@link SocketType#STREAM} or {@link SocketType#DATAGRAM}
   * @param name the receiver's, for the log
   */
  PlainMessages(
      Kernel kernel,
      SocketType type,
      DescriptorRefusal refusal,
      String name,
      PeerPolicy peers,
      DescriptorLimit limit,
      Tally tally,
      ReceiverLog log) {
    this.kernel = kernel;
    this.type = type;
    this.name = name;
    this.peers = peers;
    this.limit = limit;
    this.tally = tally;
    message = new IncomingMessage(kernel, refusal, PAYLOAD_BYTES, PAYLOAD_BYTES);
    this.log = new RateLimitedLog(kernel, log, LOG_INTERVAL_NANOS);
  }

  @Override
  public boolean opened(Fd connection) {
    return true;
  }

  @Override
  public Result receive(Fd from) {
    boolean keep = false;
    boolean allowed = false;
    try {
      int n = message.peek(from);
      if (n < 0) {
        return Messages.cannotReceive(-n, name, limit, log);
      }
      if (n == 0 && type == SocketType.STREAM) {
        return Result.ENDED;
      }
      allowed = type == SocketType.STREAM || peers.allows(message.senderUid(), message.senderPid());
      if (allowed && message.isTruncated() && mayStillFit(from)) {
        limit.reached("a message has more descriptors than there is room for");
        return Result.ONE;
      }
      forgetTruncated(from);
      if (!drop(from, n)) {
        // Peeking again would give the same descriptors twice.
        return Result.BROKEN;
      }
      keep = allowed && !message.isTruncated();
      if (keep) {
        received();
      } else if (allowed) {
        tally.truncated.increment();
        log.warn(
            name
                + ": closed all descriptors of a message that does not fit under the limit of "
                + limit.limit()
                + " open descriptors: raise it (RLIMIT_NOFILE), or lower the backend's batch");
      }
      return Result.ONE;
    } finally {
      if (!allowed) {
        message.refuseAllForeign();
      } else if (!keep) {
        message.refuseAll();
      }
    }
  }

  private void received() {
    limit.passed();
    if (message.isEmpty()) {
      tally.withoutDescriptor.increment();
      log.warn(name + ": dropped a message without a descriptor");
    }
  }

  /**
   * Drops what was peeked at from the queue. The message holds its descriptors afterwards, once.
   *
   * @return false when that failed
   */
  private boolean drop(Fd from, int peekedBytes) {
    if (type == SocketType.STREAM && peekedBytes == PAYLOAD_BYTES) {
      // A peek that fills the buffer may show the descriptors of the next message in a stream as
      // well, so whose they are is known only by receiving. No proxy sends that much.
      int r;
      do {
        r = message.receive(from);
      } while (r == -Errno.EINTR);
      return r == peekedBytes;
    }
    return message.drop(from, peekedBytes) == peekedBytes;
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
    return message.isEmpty()
        || limit.limit() >= ROOMY_LIMIT
        || !Objects.equals(from, truncatedAt)
        || now - truncatedSinceNanos < TRUNCATED_PATIENCE_NANOS;
  }

  private void forgetTruncated(Fd from) {
    if (Objects.equals(from, truncatedAt)) {
      truncatedAt = null;
    }
  }

  @Override
  public int left() {
    return message.left();
  }

  @Override
  public @Nullable Arrival next() {
    return message.isEmpty() ? null : new Arrival(message.first(), Metadata.NONE);
  }

  @Override
  public void given() {
    message.take();
  }

  @Override
  public void hasRoom(Fd connection) {
    // Nothing is ever sent.
  }

  @Override
  public void acknowledge() {
    // There is nobody who waits for it.
  }

  @Override
  public void load(int thousandths) {
    // There is nobody to tell.
  }

  @Override
  public void drain() {
    // The shut socket says it.
  }

  @Override
  public void ending(Fd connection) {
    forgetTruncated(connection);
  }

  @Override
  public void close() {
    message.refuseAll();
  }
}
