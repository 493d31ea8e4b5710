package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;

/**
 * Closes descriptors whose last close(2) may wait for somebody else: a TCP socket's with SO_LINGER
 * and data that its peer does not read, or a UNIX socket's with such a one in its queue.
 */
@FunctionalInterface
public interface DescriptorCloser {
  /**
   * Closes a descriptor, now or soon, and does not wait for it; it is the closer's from here on.
   */
  void close(Fd descriptor);
}
