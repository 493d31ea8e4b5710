package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds out whether a receiver may take a path: what is there already, and whether it is alive. */
final class PathProbe {
  // inode(7)
  private static final int S_IFMT = 0170000;
  private static final int S_IFSOCK = 0140000;

  private final Kernel kernel;
  private final Path path;
  private final SockAddr address = new SockAddr();

  /**
   * Prepares a probe.
   *
   * @param path not longer than a UNIX address
   */
  PathProbe(Kernel kernel, Path path) {
    this.kernel = kernel;
    this.path = path;
    address.unix(path.toString());
  }

  /**
   * Makes sure that nobody lives at the path.
   *
   * @param log told when a socket that nobody listens on is there, which will be replaced
   * @throws IOException when something is there that must stay
   */
  void requireFree(System.Logger log) throws IOException {
    boolean socket;
    try {
      socket = isSocket();
    } catch (NoSuchFileException e) {
      return;
    }
    if (!socket) {
      throw inUse("something that is not a socket is there: move it away or choose another path");
    }
    // A datagram connect is invisible to whoever is there: it is refused for the wrong type, or
    // only notes the address. It tells the living from the dead all the same.
    int r = connect(Linux.SOCK_DGRAM, null);
    switch (-r) {
      case Errno.ECONNREFUSED ->
          log.log(Level.INFO, "unix:" + path + ": replacing a socket that nobody listens on");
      case Errno.ENOENT -> {
        // Whoever was there has just removed it.
      }
      case 0, Errno.EPERM ->
          throw inUse("another process receives datagrams there: stop it or choose another path");
      case Errno.EPROTOTYPE -> throw inUse(owner());
      case Errno.EACCES ->
          throw new SystemCallException(
              "connect unix:" + path,
              Errno.EACCES,
              "a socket is there that this user may not write to, so it may be in use: run as its"
                  + " owner, remove it or choose another path");
      default -> throw new SystemCallException("connect unix:" + path, -r, "");
    }
  }

  private boolean isSocket() throws IOException {
    int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    return (mode & S_IFMT) == S_IFSOCK;
  }

  /** Whether a socket is there that nobody has open, for certain. */
  boolean isDead() {
    try {
      return isSocket() && connect(Linux.SOCK_DGRAM, null) == -Errno.ECONNREFUSED;
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Who listens there, which only a connection of the right type tells (SO_PEERCRED). It ends at
   * once; receivers bear connections without messages (docs/protocol.md).
   */
  private String owner() {
    PeerCredentials[] owner = new PeerCredentials[1];
    if (connect(Linux.SOCK_STREAM, owner) == -Errno.EPROTOTYPE) {
      connect(Linux.SOCK_SEQPACKET, owner);
    }
    PeerCredentials known = owner[0];
    String who =
        known == null || known.pid() <= 0
            ? "another process"
            : "pid " + known.pid() + " of uid " + known.uid();
    return "in use by " + who + ": stop it or choose another path";
  }

  /** Connects and closes; returns 0 or -errno. */
  private int connect(int type, @Nullable PeerCredentials @Nullable [] owner) {
    int r = kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK, 0);
    if (r < 0) {
      return r;
    }
    Fd probe = Fd.of(r);
    try {
      // Whoever is there could send a descriptor that lingers, and closing would wait for it.
      kernel.shutdown(probe, Linux.SHUT_RD);
      int connected = kernel.connect(probe, address);
      if (connected == 0 && owner != null) {
        kernel.peerCredentials(probe, owner);
      }
      return connected;
    } finally {
      kernel.close(probe);
    }
  }

  private SystemCallException inUse(String remedy) {
    return new SystemCallException("bind unix:" + path, Errno.EADDRINUSE, remedy);
  }
}
