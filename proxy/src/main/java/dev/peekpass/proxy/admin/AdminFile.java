package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The admin socket's file: bound beside its path, it moves there without taking the place of a
 * proxy that lives, also when several start at the same moment.
 *
 * <pre>{@code
 *                     nothing is there
 * beside ──NOREPLACE────────────────────────────────────────────> at its path
 *   ^  │ something is                     it is dead: removed         ^
 *   │  └─────────────> EXCHANGE ── look at what came back ────────────┘
 *   │                                 │ it lives
 *   └──── exchanged, until this has come back: in use
 * }</pre>
 *
 * <p>Of several that exchange at once one gets the dead file and stays; the others go on until each
 * has its own again. Then the one's is at the path.
 */
final class AdminFile {
  /** How often to look again when others come and go. */
  private static final int LOOKS_MAX = 16;

  private static final int EXCHANGES_MAX = 10_000;
  private static final int PAUSE_MAX_NANOS = 100_000;

  private final Kernel kernel;
  private final Path beside;
  private final Path path;

  /** Device and inode: no other file can have the same while the socket is open. */
  private final String identity;

  /**
   * Takes note of it.
   *
   * @param beside where the socket is bound, under a name that nobody else has
   * @param path where it shall be, in the same directory
   */
  AdminFile(Kernel kernel, Path beside, Path path) throws IOException {
    this.kernel = kernel;
    this.beside = beside;
    this.path = path;
    identity = identity(beside);
  }

  static String identity(Path file) throws IOException {
    return Files.getAttribute(file, "unix:dev", LinkOption.NOFOLLOW_LINKS)
        + ":"
        + Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS);
  }

  String identity() {
    return identity;
  }

  /**
   * Moves it to its path.
   *
   * @throws IOException when somebody has the path, and who it is
   */
  void moveIn() throws IOException {
    for (int i = 0; i < LOOKS_MAX; i++) {
      if (put()) {
        return;
      }
      requireFree(kernel, path);
    }
    throw inUse(path, "others come and go there: write another path for admin");
  }

  /**
   * Moves it to its path, where this process answers already, by another file.
   *
   * @param replaced the identity of that file
   */
  void moveOver(String replaced) throws IOException {
    if (!identity(path).equals(replaced)) {
      throw inUse(path, "another file is there by now");
    }
    int r = rename(0);
    if (r < 0) {
      throw new SystemCallException(
          "renameat2 to the admin socket unix:" + path,
          -r,
          "this user may not replace the file there");
    }
  }

  /** Tries once; whether it is at its path. If not, it is beside, and what was there is there. */
  private boolean put() throws IOException {
    int r = rename(Linux.RENAME_NOREPLACE);
    if (r == -Errno.EEXIST) {
      if (!isDead(kernel, path)) {
        return false;
      }
      r = rename(Linux.RENAME_EXCHANGE);
      if (r == 0) {
        return isDead(kernel, beside) ? removeBesideForGood() : exchangeBack();
      }
    }
    return switch (-r) {
      case 0 -> true;
      case Errno.ENOENT -> false;
      case Errno.EINVAL, Errno.ENOSYS -> putByLink();
      case Errno.EPERM -> putWithoutRenameat2();
      default ->
          throw new SystemCallException(
              "renameat2 to the admin socket unix:" + path, -r, "write another path for admin");
    };
  }

  /** Where a filter of system calls (seccomp(2)) forbids that one, or rename(2) fails as well. */
  private boolean putWithoutRenameat2() throws IOException {
    try {
      return putByLink();
    } catch (FileSystemException e) {
      SystemCallException failure =
          new SystemCallException(
              "renameat2 to the admin socket unix:" + path,
              Errno.EPERM,
              "this user may not replace the file there: remove it or write another path for admin");
      failure.addSuppressed(e);
      throw failure;
    }
  }

  private int rename(int flags) {
    return kernel.renameat2(beside.toString(), path.toString(), flags);
  }

  private boolean removeBesideForGood() throws IOException {
    Files.deleteIfExists(beside);
    return true;
  }

  /** Gives what lives its place back; false, since the path is not this one's. */
  private boolean exchangeBack() throws IOException {
    for (int i = 0; i < EXCHANGES_MAX; i++) {
      int r = rename(Linux.RENAME_EXCHANGE);
      if (r == -Errno.ENOENT && rename(Linux.RENAME_NOREPLACE) == 0) {
        // Somebody has removed what was at the path: nothing is left to come back.
        throw inUse(path, "another process removes files there");
      }
      if (identity(beside).equals(identity)) {
        return false;
      }
      LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(PAUSE_MAX_NANOS));
    }
    throw inUse(path, "too many start there at once; one's file is now " + beside);
  }

  /**
   * Where the kernel or the file system cannot exchange files: as good where nothing is there. What
   * is dead is replaced without being looked at again.
   */
  private boolean putByLink() throws IOException {
    try {
      Files.createLink(path, beside);
      return removeBesideForGood();
    } catch (FileAlreadyExistsException e) {
      if (!isDead(kernel, path)) {
        return false;
      }
    } catch (FileSystemException e) {
      // No links here either.
      requireFree(kernel, path);
    }
    Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE);
    return true;
  }

  /** Removes it from where it was bound, if it is there. */
  void removeBeside() throws IOException {
    try {
      if (identity(beside).equals(identity)) {
        Files.deleteIfExists(beside);
      }
    } catch (NoSuchFileException e) {
      // It has moved.
    }
  }

  /**
   * Makes sure that no proxy lives at a path, and nothing else than a dead proxy's file is there.
   *
   * @throws IOException saying who does
   */
  static void requireFree(Kernel kernel, Path path) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    @Nullable PeerCredentials[] owner = new PeerCredentials[1];
    int connected = connect(kernel, path, owner);
    if (connected == -Errno.ENOENT || (connected == -Errno.ECONNREFUSED && isSocket(path))) {
      // Its proxy was killed.
      return;
    }
    PeerCredentials known = owner[0];
    String who =
        known == null ? "something else is there" : "process " + known.pid() + " answers there";
    throw inUse(
        path, who + ": stop it, take it over (--takeover), or write another path for admin");
  }

  private static boolean isDead(Kernel kernel, Path path) {
    try {
      // Invisible to whoever is there, and refused only where nobody has the socket open.
      return isSocket(path) && connect(kernel, path, null) == -Errno.ECONNREFUSED;
    } catch (IOException e) {
      return false;
    }
  }

  /** Connects and closes; returns 0 or -errno. A datagram's connect tells who lives as well. */
  private static int connect(Kernel kernel, Path path, @Nullable PeerCredentials @Nullable [] owner)
      throws IOException {
    int type = owner == null ? Linux.SOCK_DGRAM : Linux.SOCK_STREAM;
    int r = kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC, 0);
    if (r < 0) {
      throw new SystemCallException(
          "socket for the admin socket unix:" + path, -r, "raise the limit of open files");
    }
    Fd probe = Fd.of(r);
    try {
      // Whoever is there could send a descriptor that lingers, and closing would wait for it.
      kernel.shutdown(probe, Linux.SHUT_RD);
      SockAddr address = new SockAddr();
      address.unix(path.toString());
      int connected = kernel.connect(probe, address);
      if (connected == 0 && owner != null) {
        kernel.peerCredentials(probe, owner);
      }
      return connected;
    } finally {
      kernel.close(probe);
    }
  }

  private static boolean isSocket(Path path) throws IOException {
    // inode(7)
    int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    return (mode & 0170000) == 0140000;
  }

  private static SystemCallException inUse(Path path, String remedy) {
    return new SystemCallException("bind the admin socket unix:" + path, Errno.EADDRINUSE, remedy);
  }
}
