package dev.peekpass.receiver.netty;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import io.netty.channel.Channel;

/**
 * Shuts a connection down when its channel has closed: one that a receiver which hangs was offered
 * before, and may have a copy of in its queue. Closing alone would not end it while that hangs.
 *
 * <p>By a descriptor of its own, since there is no place in Netty that every way of closing passes
 * before the channel's own is closed.
 */
final class LateShutdown {
  /** The least number that the descriptor gets. */
  private static final int NUMBER_MIN = 3;

  private LateShutdown() {}

  /**
   * Prepares for it. At the limit of open descriptors it is left out: then the client learns of the
   * end when the other receiver goes on, or ends.
   *
   * @param fd the channel's
   */
  static void prepare(Channel child, Fd fd) {
    int copy = LinuxKernel.open().fcntl(fd, Linux.F_DUPFD_CLOEXEC, NUMBER_MIN);
    if (copy < 0) {
      return;
    }
    var _ =
        child
            .closeFuture()
            .addListener(closed -> {
              Kernel kernel = LinuxKernel.open();
              kernel.shutdown(Fd.of(copy), Linux.SHUT_WR);
              kernel.close(Fd.of(copy));
            });
  }
}
