package dev.peekpass.fuzz;

import io.netty.channel.embedded.EmbeddedChannel;

/** Netty's channels without sockets. */
final class Channels {
  private Channels() {}

  /** Ends a channel and lets go of what is left in it. */
  static void end(EmbeddedChannel channel) {
    try {
      channel.finishAndReleaseAll();
    } catch (RuntimeException e) {
      // It refuses what is left at the end of the connection, which is nothing to us.
      channel.releaseInbound();
    }
  }
}
