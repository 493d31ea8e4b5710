package dev.peekpass.receiver;

import dev.peekpass.linux.Fd;
import dev.peekpass.wire.Metadata;
import org.jspecify.annotations.Nullable;

/**
 * A received descriptor, not inspected yet; whoever holds it closes it.
 *
 * @param from the proxy's channel when it was offered and must be claimed; null where a message is
 *     all there is
 * @param number of the connection on that channel; 0 without one
 */
record Arrival(Fd fd, @Nullable OfferChannel from, long number, Metadata metadata) {

  /** By one of the plain methods. */
  static Arrival plain(Fd fd) {
    return new Arrival(fd, null, 0, Metadata.NONE);
  }
}
