package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * What comes on the hand-off socket or its UNIX connections: how a message is received, whose its
 * connections are, and what the proxy is told. Belongs to the thread that owns the {@link Intake}.
 *
 * <p>A message is first peeked at, which gives duplicates of its descriptors, and dropped from the
 * queue only when all of them have arrived. So a process at its limit of open descriptors loses no
 * client, whoever else in it opens files at the same moment: the message stays where it is, later
 * ones wait behind it, and the proxy feels it. Receiving outright would lose what does not fit
 * (unix(7), MSG_CTRUNC).
 */
sealed interface Messages permits PlainMessages, AcknowledgedMessages {
  /** What became of an attempt to receive a message. */
  enum Result {
    /** There was none. */
    NONE,
    /** There was one, whether or not anything came of it. */
    ONE,
    /** The other end has gone, and everything it had sent has been received. */
    ENDED,
    /** The other end must be given up. */
    BROKEN
  }

  /**
   * A UNIX connection was let in.
   *
   * @return whether it can be used; if not it must be ended
   */
  boolean opened(Fd connection);

  /**
   * Receives a message, if there is one. Not while connections of the one before are left.
   *
   * <p>Whatever it throws, no descriptor is left open, and a message that was dropped from the
   * queue is either kept, with its connections, or the channel it came by is shut.
   */
  Result receive(Fd from);

  /** How many connections have been received and not given out; some may have been taken back. */
  int left();

  /**
   * Makes the next connection this process's where it was only offered. Asked again it gives the
   * same, until {@link #given}.
   *
   * @return still this object's to close; null when none is left
   */
  @Nullable Arrival next();

  /** What {@link #next} gave is the caller's now. */
  void given();

  /** A UNIX connection has room to send again. */
  void hasRoom(Fd connection);

  /** Acknowledges all that was given out. */
  void acknowledge();

  /**
   * Tells proxies, with the next acknowledgement, how busy the application is. From any thread.
   *
   * @param thousandths 0 to 1000
   */
  void load(int thousandths);

  /** Tells proxies that nothing more may come. */
  void drain();

  /** A UNIX connection is about to be closed. */
  void ending(Fd connection);

  /** Closes what was not given out; then all UNIX connections are about to be closed. */
  void close();

  /** What recvmsg's failure means to either kind. */
  static Result cannotReceive(int errno, String name, DescriptorLimit limit, RateLimitedLog log) {
    return switch (errno) {
      // Ready for nothing: epoll tells when to come again. ECONNRESET: the proxy ended without
      // having read all acknowledgements; what it sent is still there.
      case Errno.EAGAIN, Errno.ECONNRESET -> Result.NONE;
      case Errno.EINTR -> Result.ONE;
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
}
