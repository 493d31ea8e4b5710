package dev.peekpass.simulation;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Linux;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The file system, as far as sockets are in it. */
public final class UnixPaths {

  /** A receiver's socket behind a path. */
  interface Bound {
    /** SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. */
    int type();

    /** Whether its process has closed it; the file may still be there. */
    boolean isClosed();

    /** Connects a sender's socket; returns 0 or -errno. */
    int connect(UnixSocket sender);
  }

  private final Map<String, Bound> bound = new HashMap<>();

  void bind(String path, Bound socket) {
    bound.put(path, socket);
  }

  void unlink(String path) {
    bound.remove(path);
  }

  /** As unix_find_bsd in net/unix/af_unix.c: first whether there is a file, then a socket. */
  int connect(String path, UnixSocket sender) {
    @Nullable Bound to = bound.get(path);
    if (to == null) {
      return -Errno.ENOENT;
    }
    if (to.isClosed()) {
      return -Errno.ECONNREFUSED;
    }
    if (to.type() != sender.type()) {
      return -Errno.EPROTOTYPE;
    }
    return to.connect(sender);
  }

  static String name(int type) {
    return switch (type) {
      case Linux.SOCK_STREAM -> "stream";
      case Linux.SOCK_SEQPACKET -> "seqpacket";
      default -> "dgram";
    };
  }
}
