package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * The file of a socket that is bound beside its path, and moves there without taking the place of
 * anybody who lives, whoever starts at the same moment.
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
 * <p>Several may exchange at once, and then each may hold another's file. That sorts itself out: a
 * dead file comes back to one of them only, whose own then stays in the game; every other goes on
 * exchanging until its own has come back; when all have theirs, the one's is at the path.
 */
final class BoundFile {
  private static final int NAME_BYTES = 10;
  private static final int NAME_TRIES = 16;

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
  BoundFile(Kernel kernel, Path beside, Path path) throws IOException {
    this.kernel = kernel;
    this.beside = beside;
    this.path = path;
    identity = identity(beside);
  }

  /** A name in a path's directory that nobody has now, and no longer than there is room for. */
  static Path nameBeside(Path path) {
    // Whatever room the final name has, a temporary one has too.
    int nameBytes = path.getFileName().toString().getBytes(StandardCharsets.UTF_8).length;
    int pathBytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
    int length = Math.min(NAME_BYTES, SockAddr.UNIX_PATH_MAX_BYTES - pathBytes + nameBytes);
    Path name = path.resolveSibling(randomName(length));
    for (int i = 0; i < NAME_TRIES && Files.exists(name, LinkOption.NOFOLLOW_LINKS); i++) {
      name = path.resolveSibling(randomName(length));
    }
    return name;
  }

  private static String randomName(int length) {
    StringBuilder name = new StringBuilder(length);
    while (name.length() < length) {
      name.append(Character.forDigit(ThreadLocalRandom.current().nextInt(36), 36));
    }
    return name.toString();
  }

  private static String identity(Path file) throws IOException {
    return Files.getAttribute(file, "unix:dev", LinkOption.NOFOLLOW_LINKS)
        + ":"
        + Files.getAttribute(file, "unix:ino", LinkOption.NOFOLLOW_LINKS);
  }

  private boolean isAt(Path place) throws IOException {
    try {
      return identity(place).equals(identity);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /**
   * Moves it to its path.
   *
   * @param log as of {@link PathProbe#requireFree}
   * @throws IOException when somebody has the path, and who it is
   */
  void moveIn(System.Logger log) throws IOException {
    for (int i = 0; i < LOOKS_MAX; i++) {
      if (put(log)) {
        return;
      }
      new PathProbe(kernel, path).requireFree(log);
    }
    throw new SystemCallException(
        "bind unix:" + path, Errno.EADDRINUSE, "others come and go there: choose another path");
  }

  /** Tries once; whether it is at its path. If not, it is beside, and what was there is there. */
  private boolean put(System.Logger log) throws IOException {
    int r = rename(Linux.RENAME_NOREPLACE);
    if (r == -Errno.EEXIST) {
      if (!isDead(path)) {
        return false;
      }
      r = rename(Linux.RENAME_EXCHANGE);
      if (r == 0) {
        return isDead(beside) ? clear(beside) : exchangeBack();
      }
    }
    return switch (-r) {
      case 0 -> true;
      case Errno.ENOENT -> false;
      case Errno.EINVAL, Errno.ENOSYS -> putByLink(log);
      case Errno.EPERM -> putWithoutRenameat2(log);
      default -> throw new SystemCallException("renameat2 to unix:" + path, -r, remedy(-r));
    };
  }

  private static String remedy(int errno) {
    return switch (errno) {
      case Errno.EACCES ->
          "this user may not replace the file there: remove it or choose another path";
      case Errno.EBUSY ->
          "the file there is a mount, as into a container: mount its directory instead, or choose"
              + " another path";
      default -> "choose another path";
    };
  }

  /** Where a filter of system calls (seccomp(2)) forbids that one, or rename(2) fails as well. */
  private boolean putWithoutRenameat2(System.Logger log) throws IOException {
    try {
      return putByLink(log);
    } catch (FileSystemException e) {
      SystemCallException failure =
          new SystemCallException("renameat2 to unix:" + path, Errno.EPERM, remedy(Errno.EACCES));
      failure.addSuppressed(e);
      throw failure;
    }
  }

  private int rename(int flags) {
    return kernel.renameat2(beside.toString(), path.toString(), flags);
  }

  private boolean isDead(Path file) {
    return new PathProbe(kernel, file).isDead();
  }

  private static boolean clear(Path dead) throws IOException {
    Files.deleteIfExists(dead);
    return true;
  }

  /** Gives what lives its place back; false, since the path is not this one's. */
  private boolean exchangeBack() throws IOException {
    for (int i = 0; i < EXCHANGES_MAX; i++) {
      int r = rename(Linux.RENAME_EXCHANGE);
      if (r == -Errno.ENOENT && rename(Linux.RENAME_NOREPLACE) == 0) {
        // Somebody has removed what was at the path: nothing is left to come back.
        throw new SystemCallException(
            "bind unix:" + path, Errno.EADDRINUSE, "another process removes files there");
      }
      if (isAt(beside)) {
        return false;
      }
      LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(PAUSE_MAX_NANOS));
    }
    throw new SystemCallException(
        "bind unix:" + path,
        Errno.EADDRINUSE,
        "too many start there at once; one's file is now " + beside);
  }

  /**
   * Where the kernel or the file system cannot exchange files. Nothing is there: as good. Something
   * dead is: it is moved away before anybody knows that it is dead still, and for a moment nothing
   * is there; should one more start in that moment, it may lose its place unseen.
   */
  private boolean putByLink(System.Logger log) throws IOException {
    try {
      Files.createLink(path, beside);
    } catch (FileAlreadyExistsException e) {
      removeDead();
      return false;
    } catch (FileSystemException e) {
      // No links here either: the last way is to replace what is there.
      new PathProbe(kernel, path).requireFree(log);
      Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE);
      return true;
    }
    return clear(beside);
  }

  private void removeDead() throws IOException {
    if (!isDead(path)) {
      return;
    }
    Path away = nameBeside(path);
    try {
      Files.move(path, away, StandardCopyOption.ATOMIC_MOVE);
    } catch (NoSuchFileException e) {
      return;
    }
    if (isDead(away)) {
      Files.delete(away);
    } else {
      Files.move(away, path, StandardCopyOption.ATOMIC_MOVE);
    }
  }

  /** Removes it from where it was bound, if it is there. */
  void removeBeside() throws IOException {
    if (isAt(beside)) {
      Files.deleteIfExists(beside);
    }
  }

  /** Removes it from its path, unless somebody else's is there by now. */
  void removeFromPath() throws IOException {
    if (isAt(path)) {
      Files.deleteIfExists(path);
    }
  }
}
