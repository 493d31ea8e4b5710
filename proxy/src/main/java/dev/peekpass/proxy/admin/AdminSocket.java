package dev.peekpass.proxy.admin;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/**
 * The listening admin socket and its file, mode 0600.
 *
 * <p>It is bound under a name of its own and moved to its path when all is right with it: nobody
 * finds it with other permissions, and the file of a proxy that was killed is replaced without a
 * moment in which nothing is there.
 */
public final class AdminSocket {
  private static final int BACKLOG = 16;

  /** A dot and some letters, which replace the file's own name while it is made. */
  private static final int TEMPORARY_NAME_BYTES = 8;

  private static final Pattern TEMPORARY =
      Pattern.compile("\\.[0-9a-z]{" + (TEMPORARY_NAME_BYTES - 1) + "}");

  /** The identity of a file in a directory that this user cannot enter. */
  private static final String HIDDEN = "";

  private final Fd fd;
  private final Path path;

  /** Device and inode of the file: no other can have the same while the socket is open. */
  private final String identity;

  private final boolean inherited;
  private volatile boolean ownsFile;

  /** Guards {@link #fd} against being used by another thread once it is closed. */
  private boolean closed;

  private AdminSocket(Fd fd, Path path, String identity, boolean inherited) {
    this.fd = fd;
    this.path = path;
    this.identity = identity;
    this.inherited = inherited;
    ownsFile = !inherited;
  }

  /**
   * Binds.
   *
   * @param makeDirectory whether to make the directory, for this user alone, if there is none
   * @return open; its owner gives it to an {@link AdminServer} or closes it
   * @throws IOException with the remedy; nothing is left open
   */
  public static AdminSocket open(Kernel kernel, String path, boolean makeDirectory)
      throws IOException {
    Path file = Path.of(path);
    int longest = SockAddr.UNIX_PATH_MAX_BYTES - TEMPORARY_NAME_BYTES;
    if (path.getBytes(StandardCharsets.UTF_8).length > longest) {
      throw new IOException(
          "admin socket unix:" + path + ": over " + longest + " bytes: write a shorter path");
    }
    prepareDirectory(file, makeDirectory);
    AdminFile.requireFree(kernel, file);
    return bind(kernel, file, AdminFile::moveIn);
  }

  /** How a file gets from where it was bound to its path. */
  private interface Move {
    void move(AdminFile bound) throws IOException;
  }

  private static AdminSocket bind(Kernel kernel, Path file, Move move) throws IOException {
    String path = file.toString();
    int type = Linux.SOCK_STREAM | Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC;
    int r = kernel.socket(Linux.AF_UNIX, type, 0);
    if (r < 0) {
      throw failure("socket for the admin socket unix:" + path, r, "raise the limit of open files");
    }
    Fd fd = Fd.of(r);
    Path temporary = file.resolveSibling(temporaryName());
    AdminFile bound = null;
    boolean named = false;
    try {
      SockAddr address = new SockAddr();
      address.unix(temporary.toString());
      check(path, "bind", kernel.bind(fd, address));
      named = true;
      bound = new AdminFile(kernel, temporary, file);
      Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-------"));
      check(path, "listen", kernel.listen(fd, BACKLOG));
      move.move(bound);
      return new AdminSocket(fd, file, bound.identity(), false);
    } catch (IOException | RuntimeException e) {
      try {
        if (bound != null) {
          bound.removeBeside();
        } else if (named) {
          Files.deleteIfExists(temporary);
        }
      } finally {
        // Not before: an open socket keeps its inode number from being used again.
        kernel.close(fd);
      }
      throw e;
    }
  }

  /**
   * Goes on with a socket that another process opened, and whose file is that process's until
   * {@link #ownFile}.
   *
   * @param fd listening and bound to {@code path}; owned by the result
   */
  static AdminSocket inherited(Fd fd, String path) throws IOException {
    String identity;
    try {
      identity = AdminFile.identity(Path.of(path));
    } catch (AccessDeniedException e) {
      identity = HIDDEN;
    }
    return new AdminSocket(fd, Path.of(path), identity, true);
  }

  /**
   * A socket of this process's own in the place of an inherited one, whose file is another user's:
   * that file would let the wrong user in. There is no moment in which nothing is there.
   *
   * @return open, as by {@link #open}; this one stays open, without its file
   * @throws IOException when this user may not replace files there; nothing has changed
   */
  public AdminSocket replace(Kernel kernel) throws IOException {
    return bind(kernel, path, bound -> bound.moveOver(identity));
  }

  /** Whether another process opened it, as another user than this one, by the file's owner. */
  public boolean isAnotherUsers(int uid) {
    if (!inherited) {
      return false;
    }
    try {
      return identity.equals(HIDDEN) || ownerOf(path) != uid;
    } catch (IOException e) {
      return false;
    }
  }

  private static String temporaryName() {
    StringBuilder name = new StringBuilder(".");
    while (name.length() < TEMPORARY_NAME_BYTES) {
      name.append(Character.forDigit(ThreadLocalRandom.current().nextInt(36), 36));
    }
    return name.toString();
  }

  /** Makes the directory of a socket, which is for this program alone, if there is none. */
  public static void makeDirectory(String path) throws IOException {
    prepareDirectory(Path.of(path), true);
  }

  /**
   * Gives the directory of a socket to the user whose process is to listen there, unless somebody
   * else has something in it: a proxy that answers there, or whatever files. A dead proxy's file,
   * with which that user could do nothing, is removed. That of a proxy that is being taken over
   * stays until it is replaced: root can use it whoever the directory's owner is.
   *
   * @param takenOver whether the proxy that answers there is the one to take over from
   * @return whether it is that user's
   */
  public static boolean giveDirectory(
      Kernel kernel, String path, int uid, int gid, boolean takenOver) throws IOException {
    Path file = Path.of(path);
    Path directory = Objects.requireNonNull(file.getParent(), "absolute");
    boolean given = ownerOf(directory) == uid;
    if (given && (!Files.exists(file, LinkOption.NOFOLLOW_LINKS) || ownerOf(file) == uid)) {
      return true;
    }
    if (hasOtherFiles(directory, file)) {
      return given;
    }
    if (!takenOver) {
      try {
        AdminFile.requireFree(kernel, file);
      } catch (SystemCallException e) {
        return given;
      }
      Files.deleteIfExists(file);
    }
    Files.setAttribute(directory, "unix:uid", uid, LinkOption.NOFOLLOW_LINKS);
    Files.setAttribute(directory, "unix:gid", gid, LinkOption.NOFOLLOW_LINKS);
    return true;
  }

  /**
   * Whether a start would give a directory to a user, or it is that user's; as {@link
   * #giveDirectory}, but for a proxy that answers there, which can be taken over.
   */
  public static boolean isToBeGiven(String path, int uid) {
    Path file = Path.of(path);
    Path directory = Objects.requireNonNull(file.getParent(), "absolute");
    try {
      return ownerOf(directory) == uid || !hasOtherFiles(directory, file);
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean hasOtherFiles(Path directory, Path file) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        if (!entry.equals(file) && !TEMPORARY.matcher(entry.getFileName().toString()).matches()) {
          return true;
        }
      }
    }
    return false;
  }

  private static int ownerOf(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  private static void prepareDirectory(Path file, boolean make) throws IOException {
    Path directory = file.getParent();
    if (directory == null || Files.isDirectory(directory)) {
      return;
    }
    if (!make) {
      throw new IOException(
          "admin socket unix:"
              + file
              + ": "
              + directory
              + " is not a directory that this user can see: create it or correct the path");
    }
    try {
      Files.createDirectory(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      // Another proxy that starts has made it.
      if (!Files.isDirectory(directory)) {
        throw e;
      }
    }
  }

  private static void check(String path, String call, int r) throws SystemCallException {
    if (r < 0) {
      throw failure(
          call + " the admin socket unix:" + path,
          r,
          r == -Errno.EACCES
              ? "this user may not create files there: write another path for admin"
              : "write another path for admin");
    }
  }

  private static SystemCallException failure(String call, int r, String remedy) {
    return new SystemCallException(call, -r, remedy);
  }

  Fd fd() {
    return fd;
  }

  /** Whether another process opened it. */
  public boolean isInherited() {
    return inherited;
  }

  /**
   * From here on the file goes with this object, and this process is the one that the kernel names
   * to whoever connects (SO_PEERCRED).
   */
  public synchronized void ownFile(Kernel kernel) {
    if (!closed) {
      ownsFile = true;
      kernel.listen(fd, BACKLOG);
    }
  }

  /** From here on the file is another process's, until {@link #ownFile} says otherwise. */
  public void leaveFile() {
    ownsFile = false;
  }

  /** Whether its path still leads to it. */
  public boolean isFound() {
    try {
      return AdminFile.identity(path).equals(identity);
    } catch (AccessDeniedException e) {
      return identity.equals(HIDDEN);
    } catch (IOException e) {
      return false;
    }
  }

  /** Where it is bound. */
  public String path() {
    return path.toString();
  }

  /** A duplicate of the descriptor, which is the caller's; -errno, EBADF once this is closed. */
  synchronized int duplicate(Kernel kernel) {
    return closed ? -Errno.EBADF : kernel.fcntl(fd, Linux.F_DUPFD_CLOEXEC, 0);
  }

  /** Closes the descriptor; the socket goes on where another process has it. */
  synchronized void abandon(Kernel kernel) {
    if (!closed) {
      closed = true;
      kernel.close(fd);
    }
  }

  /** Removes the file if it is this object's and still this socket's, and closes the socket. */
  public void close(Kernel kernel) {
    try {
      if (ownsFile && AdminFile.identity(path).equals(identity)) {
        Files.deleteIfExists(path);
      }
    } catch (NoSuchFileException e) {
      // Somebody else has removed it.
    } catch (IOException e) {
      // It is left behind, and replaced by the next proxy that starts.
    } finally {
      abandon(kernel);
    }
  }
}
