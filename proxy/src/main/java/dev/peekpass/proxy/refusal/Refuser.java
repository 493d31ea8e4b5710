package dev.peekpass.proxy.refusal;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.proxy.config.Fallback;
import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.connection.ConnectionQueue;
import dev.peekpass.proxy.connection.Ending;
import dev.peekpass.proxy.connection.Stage;
import dev.peekpass.proxy.status.Counter;
import dev.peekpass.proxy.status.Outcome;
import dev.peekpass.proxy.turn.Turn;
import dev.peekpass.wire.Protocol;
import org.jspecify.annotations.Nullable;

/**
 * Turns clients away so that they can read why.
 *
 * <p>close(2) with unread bytes, or with bytes still coming, resets the connection, and the reset
 * overtakes the answer. So what was sent is dropped first, then comes the answer and the end of our
 * side, and the connection lingers until the client ends its own, {@link #LINGER_NANOS} have
 * passed, or {@link #MAX_DROP_BYTES} have come. One with much to drop takes turns with others.
 */
public final class Refuser implements Stage {
  /** How long an answered connection is kept for its client to read the answer. */
  private static final long LINGER_NANOS = 2_000_000_000L;

  /** How many connections may linger in one loop; a further one is closed at once. */
  private static final int MAX_LINGERING = 1024;

  /** How many bytes are dropped at a time of a client that goes on sending: others wait for it. */
  private static final int DROP_BYTES_AT_ONCE = 1 << 16;

  /** And in all; a client that sends more is cut off. */
  private static final int MAX_DROP_BYTES = 1 << 20;

  /** The same beyond what was peeked, of one whose head is too large: hardly an honest client. */
  private static final int MAX_DROP_OF_TOO_LARGE = 1 << 16;

  /**
   * A read that brings less than {@link #LITTLE_BYTES}, which is far below a segment of TCP, counts
   * for as many: a client that sends a byte at a time costs a read for each.
   */
  private static final int LEAST_DROP_BYTES = 1 << 12;

  private static final int LITTLE_BYTES = 512;

  private final Turn turn;
  private final Ending ending;
  private final Kernel kernel;

  /** Memory for a read that leaves it as it is. */
  private final NativeBuffer untouched = new NativeBuffer(DROP_BYTES_AT_ONCE);

  private final ConnectionQueue lingering = new ConnectionQueue(this);

  private final Answer unrecognizedName = Answer.tlsAlert(Answer.ALERT_UNRECOGNIZED_NAME);
  private final Answer decodeError = Answer.tlsAlert(Answer.ALERT_DECODE_ERROR);
  private final Answer illegalParameter = Answer.tlsAlert(Answer.ALERT_ILLEGAL_PARAMETER);
  private final Answer internalError = Answer.tlsAlert(Answer.ALERT_INTERNAL_ERROR);
  private final Answer badRequest = Answer.http1(400, "The request head is malformed.");
  private final Answer requestTimeout = Answer.http1(408, "The request head did not come in time.");
  private final Answer fieldsTooLarge = Answer.http1(431, "The request head is too large.");
  private final Answer serviceUnavailable =
      Answer.http1(503, "The server for this host takes no connections.");
  private final Answer h2Refused =
      Answer.http2GoAway(Answer.H2_REFUSED_STREAM, "not served at this address");
  private final Answer h2ProtocolError =
      Answer.http2GoAway(Answer.H2_PROTOCOL_ERROR, "malformed, too large or too late");

  /** Makes one for the connections of one loop. */
  public Refuser(Turn turn, Ending ending) {
    this.turn = turn;
    this.ending = ending;
    this.kernel = turn.kernel();
  }

  /**
   * Turns a connection away and records the outcome. The descriptor is closed here, now or once the
   * client has read the answer. One that a receiver has had which is not trusted gets no answer.
   *
   * @param connection in any container, without an outcome; the poller may watch it
   * @param reject how this listener rejects
   * @param noRoute the answer of this listener's fallback to an HTTP/1 client
   */
  public void refuse(
      Connection connection, Outcome outcome, Fallback.Reject reject, Answer noRoute) {
    ending.record(connection, outcome);
    if (connection.isBound()) {
      // Whoever has a descriptor of it may hold the socket's lock, for which every call would wait.
      ending.release(connection);
      return;
    }
    connection.mayDropBytes =
        outcome == Outcome.REFUSED_TOO_LARGE
            ? connection.peekedBytes + MAX_DROP_OF_TOO_LARGE
            : MAX_DROP_BYTES;
    Dropped dropped = drop(connection);
    Answer answer = answer(connection.protocol, outcome, reject, noRoute);
    if (dropped == Dropped.GIVEN_UP || answer == null) {
      ending.release(connection);
      return;
    }
    int flags = Linux.MSG_DONTWAIT | Linux.MSG_NOSIGNAL;
    int sent;
    do {
      sent = kernel.send(connection.fd, answer.bytes, 0, answer.length, flags);
    } while (sent == -Errno.EINTR);
    boolean ended = dropped == Dropped.ENDED;
    if (ended || sent < answer.length || kernel.shutdown(connection.fd, Linux.SHUT_WR) < 0) {
      ending.release(connection);
      return;
    }
    linger(connection);
  }

  private @Nullable Answer answer(
      @Nullable Protocol protocol, Outcome outcome, Fallback.Reject reject, Answer noRoute) {
    if (protocol == null || reject.kind() == Fallback.Kind.CLOSE) {
      return null;
    }
    return switch (protocol) {
      case TLS ->
          switch (outcome) {
            case REFUSED_MALFORMED, TRUNCATED -> decodeError;
            case REFUSED_TOO_LARGE -> illegalParameter;
            case REFUSED_UNAVAILABLE -> internalError;
            case TIMED_OUT -> null;
            default -> unrecognizedName;
          };
      case HTTP1 ->
          switch (outcome) {
            case REFUSED_MALFORMED, TRUNCATED -> badRequest;
            case REFUSED_TOO_LARGE -> fieldsTooLarge;
            case REFUSED_UNAVAILABLE -> serviceUnavailable;
            case TIMED_OUT -> requestTimeout;
            default -> reject.kind() == Fallback.Kind.HTTP_STATUS ? noRoute : null;
          };
      case HTTP2 ->
          switch (outcome) {
            case REFUSED_MALFORMED, TRUNCATED, REFUSED_TOO_LARGE, TIMED_OUT -> h2ProtocolError;
            default -> reject.kind() == Fallback.Kind.HTTP_STATUS ? h2Refused : null;
          };
    };
  }

  private void linger(Connection connection) {
    if (lingering.size() >= MAX_LINGERING) {
      turn.count(Counter.LINGER_LIMIT_REACHED);
      ending.release(connection);
      return;
    }
    if (!ending.watchUnread(connection)) {
      ending.release(connection);
      return;
    }
    long deadline = turn.nowNanos() + LINGER_NANOS;
    lingering.add(connection, deadline);
    turn.wakeBy(deadline);
  }

  /** The client of a lingering connection has sent more, or ended. */
  @Override
  public void onEvents(Connection connection, int events) {
    if (drop(connection) != Dropped.FOR_NOW) {
      ending.release(connection);
    }
  }

  @Override
  public void onFault(Connection connection) {
    ending.fail(connection);
  }

  /** What dropping came to. */
  private enum Dropped {
    /** More may come, or is there: for the next time. */
    FOR_NOW,
    /** The client has ended its side; it may still be reading. */
    ENDED,
    /** The connection failed, or its client sends too much. */
    GIVEN_UP
  }

  /**
   * Drops some of what is there. MSG_TRUNC lets the kernel discard bytes of TCP without copying
   * them, tcp(7).
   */
  private Dropped drop(Connection connection) {
    int left = DROP_BYTES_AT_ONCE;
    while (left > 0) {
      int flags = Linux.MSG_DONTWAIT | Linux.MSG_TRUNC;
      int n = kernel.recv(connection.fd, untouched, 0, left, flags);
      if (n == -Errno.EINTR) {
        continue;
      }
      if (n == 0) {
        return Dropped.ENDED;
      }
      if (n < 0) {
        return n == -Errno.EAGAIN ? Dropped.FOR_NOW : Dropped.GIVEN_UP;
      }
      left -= n;
      connection.mayDropBytes -= n < LITTLE_BYTES ? LEAST_DROP_BYTES : n;
      if (connection.mayDropBytes <= 0) {
        return Dropped.GIVEN_UP;
      }
    }
    return Dropped.FOR_NOW;
  }

  /** Ends what has lingered long enough; returns when the next one is due. */
  public long runTimers(long nowNanos) {
    for (@Nullable Connection late = lingering.firstExpired(nowNanos);
        late != null;
        late = lingering.firstExpired(nowNanos)) {
      releaseOrFail(late);
    }
    return lingering.nextDeadlineNanos();
  }

  /**
   * Makes room, where a limit of the process or the kernel is met: ends the connection that has
   * lingered for longest. It has had its answer, unlike any that is incomplete.
   *
   * @return whether there was one
   */
  public boolean releaseOldest() {
    Connection oldest = lingering.first();
    if (oldest == null) {
      return false;
    }
    turn.count(Counter.LINGER_LIMIT_REACHED);
    releaseOrFail(oldest);
    return true;
  }

  /** Whatever is thrown, it stands here no more. */
  private void releaseOrFail(Connection connection) {
    try {
      ending.release(connection);
    } catch (RuntimeException e) {
      turn.fault("an answered connection could not be closed", e);
      turn.contain(() -> ending.fail(connection));
    }
  }

  /** Whether no answered client is still reading. */
  public boolean isIdle() {
    return lingering.isEmpty();
  }

  /** Ends everything. */
  public void close() {
    ending.stopAll(lingering);
  }
}
