package dev.peekpass.proxy.turn;

import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;

/**
 * The descriptors that clients leave to others, the admin socket first: whoever asks a proxy for
 * its status at its limit must not wait until a client goes.
 *
 * <p>The kernel gives the lowest number that is free (accept(2), open(2)). So a number near the
 * limit says that all below it are taken, and nobody need count.
 */
public final class Headroom {
  /** What part of the limit is left to others, and within which bounds. */
  private static final int PART = 32;

  private static final int LEAST = 4;
  private static final int MOST = 32;

  /** So many connections a loop may always have, however much else takes descriptors. */
  private static final int ALWAYS = 8;

  private final Kernel kernel;
  private int ceiling;
  private int held;
  private boolean reached;

  Headroom(Kernel kernel) {
    this.kernel = kernel;
    ceiling = ceiling();
  }

  /** The first number that is not for clients, by the limit as it is now. */
  private int ceiling() {
    int limit = kernel.getrlimit(Linux.RLIMIT_NOFILE);
    return limit < 0 ? Integer.MAX_VALUE : limit - Math.clamp(limit / PART, LEAST, MOST);
  }

  /** A client has got a descriptor. It may be one too many, and is kept all the same. */
  public void took(Fd fd) {
    held++;
    if (fd.number() >= ceiling) {
      // Somebody may have raised the limit, prlimit(2).
      ceiling = ceiling();
      reached = fd.number() >= ceiling;
    }
  }

  /** One that a client had is closed, or will be. */
  public void gave() {
    held--;
  }

  /**
   * Whether the next client would get a descriptor that is meant for others. Costs two calls once
   * the last one has, and nothing before.
   */
  public boolean isReached() {
    if (reached && held >= ALWAYS) {
      int r = kernel.eventfd(0, Linux.EFD_CLOEXEC | Linux.EFD_NONBLOCK);
      if (r >= 0) {
        kernel.close(Fd.of(r));
      }
      reached = r < 0 || r >= ceiling;
      return reached;
    }
    return false;
  }
}
