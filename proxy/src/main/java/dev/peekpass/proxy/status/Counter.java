package dev.peekpass.proxy.status;

import java.util.Locale;

/** What a loop counts beside the {@linkplain Outcome outcomes}: work done and limits met. */
public enum Counter {
  /** Connections accepted. */
  ACCEPTED,
  /** Connections whose head was not there at the first peek. */
  INCOMPLETE_AT_FIRST_PEEK,
  /** Times accept found the process or system out of descriptors or memory (RLIMIT_NOFILE). */
  ACCEPT_LIMIT_REACHED,
  /** Connections shed because a listener's max-pending was reached. */
  MAX_PENDING_REACHED,
  /** Connections refused because their first bytes came in very many small segments. */
  IN_PIECES,
  /** Connections turned away because their client had max-pending-per-client incomplete ones. */
  MAX_PENDING_PER_CLIENT_REACHED,
  /** Connections turned away because their client came more often than max-new-per-client. */
  MAX_NEW_PER_CLIENT_REACHED,
  /** Clients whose rate was forgotten early to make room for others in the table of clients. */
  CLIENT_FORGOTTEN,
  /** Times a client was let in uncounted, since the table of clients was full. */
  CLIENT_NOT_TRACKED,
  /** Connections turned away because a backend's max-queue was reached. */
  MAX_QUEUE_REACHED,
  /** Connections that came for a drained backend. */
  DRAINED,
  /** Connections that waited for a backend's UNIX socket. */
  QUEUED,
  /** Connections whose backend took none within hand-off-timeout. */
  HAND_OFF_TIMED_OUT,
  /** Connections that went to their backend's backup. */
  BACKED_UP,
  /** Connections to backends made, over UNIX sockets. */
  CHANNEL_OPENED,
  /** Connections to backends lost, over UNIX sockets. */
  CHANNEL_LOST,
  /** Times a receiver did not let the proxy in: it said so, or closed with a message unread. */
  CHANNEL_REFUSED,
  /** Messages that handed connections over; fewer than those where backends have a batch. */
  MESSAGES_SENT,
  /** Times a backend's UNIX socket was full. */
  CHANNEL_FULL,
  /** Connections taken back from a receiver that died, hung or refused, to be offered anew. */
  TAKEN_BACK,
  /** Times a receiver did not acknowledge within ack-timeout. */
  ACK_TIMED_OUT,
  /**
   * Connections left to a receiver that had claimed them, or could not give them back,
   * unacknowledged.
   */
  ACK_IN_DOUBT,
  /** Times a receiver broke the protocol of the acknowledged hand-off. */
  RECEIVER_FAULT,
  /**
   * Connections turned away because a descriptor of theirs had been at a receiver of another user,
   * who may have kept it: {@code trust}.
   */
  WITHHELD,
  /** Descriptors that another thread closed, since close(2) may wait for whoever shares them. */
  CLOSED_ASIDE,
  /** Turns of a loop that took longer than 100 ms: its clients waited meanwhile. */
  STOOD_STILL,
  /**
   * Times the kernel would not watch a connection (fs.epoll.max_user_watches): one of the client
   * that has most is given up for it, or it is itself.
   */
  WATCH_REFUSED,
  /** Refused connections closed without waiting for the client to read the answer. */
  LINGER_LIMIT_REACHED,
  /** Access log entries dropped because the log was not written fast enough. */
  ACCESS_LOG_DROPPED,
  /** Times accept failed for a reason that is neither the client's nor a limit's. */
  ACCEPT_FAILED,
  /** Faults in Peekpass itself that were contained: each is logged, at most one a second. */
  FAULTS,
  /**
   * Access log lines lost because writing failed (a full disk, a reader that has ended), or because
   * nobody read them when the log ended.
   */
  ACCESS_LOG_FAILED;

  private final String label = name().toLowerCase(Locale.ROOT).replace('_', '-');

  /** The name in logs and metrics, such as {@code max-pending-reached}. */
  public String label() {
    return label;
  }
}
