package dev.peekpass.cli.stage;

import dev.peekpass.linux.Kernel;
import dev.peekpass.proxy.admin.AdminClient;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.admin.TakeoverTimes;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The proxy that is running, which another is to take over from. */
public final class Running {
  private static final int ERRNO_MAX = 4095;
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private Running() {}

  /**
   * Asks it for its sockets.
   *
   * @param from its admin socket
   * @return null when none is running
   */
  public static @Nullable Takeover ask(Kernel kernel, String from, TakeoverTimes times)
      throws IOException {
    if (from.isEmpty()) {
      throw new IOException(
          "--takeover: this user has no standard place for the admin socket: write admin: into the"
              + " configuration, or --admin unix:PATH");
    }
    try {
      return Takeover.begin(kernel, from, times);
    } catch (AdminClient.UnreachableException e) {
      if (!e.isNobodyThere()) {
        throw e;
      }
      LOG.warn("--takeover: no proxy answers at unix:{}: starting without one", from);
      return null;
    }
  }

  /**
   * Refuses to put a process of root in the place of one that is not, unless that is said.
   *
   * @param uid as whom this process is to serve
   * @param named whether the configuration says so
   */
  public static void requireNoPromotion(Takeover old, int uid, boolean named) throws IOException {
    int running = old.oldUid();
    // From 2147483648 on a number is negative, too; those next to 0 are errors.
    boolean known = running >= 0 || running < -ERRNO_MAX;
    if (uid == 0 && !named && known && running != 0) {
      throw new IOException(
          "the running proxy (%s) runs as uid %s, and this one would run as root: write user: %s into the configuration, or user: root if that is meant; the running one goes on"
              .formatted(old, Integer.toUnsignedString(running), Identity.nameOf(running)));
    }
  }
}
