package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;

/**
 * Closes descriptors that the loop's thread must not close, since close(2) may wait: a process that
 * has the same socket can set SO_LINGER (socket(7)), and whoever closes the last descriptor waits
 * then, non-blocking or not.
 */
public interface DescriptorCloser {
  /** Takes a descriptor over, which is in no epoll, and closes it soon. Does not wait. */
  void close(Fd descriptor);

  /** Whether so many wait to be closed that there should be no new ones. */
  boolean isFull();

  /** Makes one for what belongs together: what waits in one holds up no other. */
  interface Factory {
    /** Makes one for a loop. */
    DescriptorCloser of(Turn turn);
  }
}
