package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import java.util.Queue;

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

  /** Receives a message, if there is one, and adds its connections to those that arrived. */
  Result receive(Fd from, Queue<Arrival> arrived);

  /** Whether an arrived connection is ours now; if not it is closed, and another has it. */
  boolean claim(Arrival arrival);

  /** A UNIX connection has room to send again. */
  void hasRoom(Fd connection);

  /** Acknowledges all that was given out. */
  void acknowledge();

  /** Tells proxies that nothing more may come. */
  void drain();

  /**
   * A UNIX connection is about to be closed.
   *
   * @param byUs whether it is this receiver that ends it, and not the proxy
   */
  void ending(Fd connection, boolean byUs);

  /** All UNIX connections are about to be closed. */
  void close();
}
