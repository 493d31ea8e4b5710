package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import org.jspecify.annotations.Nullable;

/**
 * A descriptor that a loop keeps open so that it can be closed when a channel needs one and none is
 * left. Without it connections that hold every descriptor would wait for a hand-off that needs one
 * more, each until its time is up.
 */
public final class SpareDescriptor {
  private final Kernel kernel;
  private @Nullable Fd held;

  /** Takes a descriptor, if there is one. */
  public SpareDescriptor(Kernel kernel) {
    this.kernel = kernel;
    restore();
  }

  /**
   * Gives the descriptor up, for whoever opens one next.
   *
   * @return false when there is none to give up
   */
  public boolean lend() {
    Fd fd = held;
    if (fd == null) {
      return false;
    }
    held = null;
    kernel.close(fd);
    return true;
  }

  /** Takes a descriptor again, one having just been closed; costs nothing while it has one. */
  public void restore() {
    if (held == null) {
      int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
      held = r < 0 ? null : Fd.of(r);
    }
  }

  /** Closes it for good. */
  public void close() {
    lend();
  }
}
