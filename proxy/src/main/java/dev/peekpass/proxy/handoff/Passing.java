package dev.peekpass.proxy.handoff;

import dev.peekpass.proxy.connection.Connection;
import dev.peekpass.proxy.turn.DescriptorCloser;

/** What a channel needs of the backend whose receiver it leads to. */
public interface Passing {
  /** A connection is the receiver's: ends it, as passed. */
  void handedOff(Connection connection);

  /**
   * A connection was offered, and nobody has touched it nor can: it waits again, where its deadline
   * says, for another receiver or another try.
   */
  void takeBack(Connection connection);

  /** Closes the descriptors of its connections that the loop's thread must not close. */
  DescriptorCloser aside();

  /** There may be room again: passes what waits, as far as the channels take it. */
  void pump();

  /** The receiver at a path was gone and takes connections again. */
  void cameBack(String path);

  /** Whether sockets are to be tried that are not due: when there is nothing else. */
  boolean triesAll();

  /** A receiver takes so many connections in one message. */
  void gather(int connections);
}
