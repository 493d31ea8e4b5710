package dev.peekpass.proxy.advice;

import dev.peekpass.linux.OverflowUid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What to do on the receiver's side so that it lets a proxy in, for the log and for check. */
public final class ReceiverAdvice {
  /** How to let in a user that may not connect to the socket. */
  private static final String GROUP =
      "give it a group that this user is in: +group=G of the agent, owner=root:G of nginx, group()"
          + " of the Java library; after usermod -aG G USER start the proxy anew";

  private ReceiverAdvice() {}

  /**
   * How to allow a user there.
   *
   * @param uid the proxy's, as the receiver sees it
   */
  public static String allow(int uid) {
    String number = Integer.toUnsignedString(uid);
    return OverflowUid.isEverybodys(uid)
        ? "uid "
            + number
            + " stands for every user that has no number there, and cannot be allowed: map the"
            + " proxy's user into the receiver's user namespace, or give the proxy a user of its"
            + " own"
        : "allow it there: --allow-uid "
            + number
            + " of serve, allowUid("
            + number
            + ") of the Java library, +uid="
            + number
            + " of the agent, peer_uid="
            + number
            + " of nginx";
  }

  /**
   * What is wrong where connect(2) says EACCES.
   *
   * @param path of the socket
   * @return in a few words, the remedy behind a colon
   */
  public static String mayNotConnect(String path) {
    Path file = Path.of(path);
    @Nullable Path hidden = unsearchable(file);
    if (hidden != null) {
      return "this user may not search the directory " + hidden + ": " + toReach(hidden);
    }
    return isNoSocket(file)
        ? "this is no socket: correct the path, or start the receiver"
        : "this user may not write to the socket: " + GROUP;
  }

  private static String toReach(Path hidden) {
    return PathAdvice.isPrivate(hidden)
        ? "let the receiver bind in a directory of its own, such as /run/NAME, and leave "
            + hidden
            + " closed"
        : "let this user's group search it (" + PathAdvice.toGroup(hidden) + ")";
  }

  /** The first directory on the way to a file, through links, that hides what is in it. */
  public static @Nullable Path unsearchable(Path file) {
    Way.Hidden hidden = Way.hidden(file);
    return hidden == null ? null : hidden.directory();
  }

  /** Whether something else than a socket is there, where links lead. */
  public static boolean isNoSocket(Path file) {
    try {
      // inode(7)
      return ((Integer) Files.getAttribute(file, "unix:mode") & 0170000) != 0140000;
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }
}
