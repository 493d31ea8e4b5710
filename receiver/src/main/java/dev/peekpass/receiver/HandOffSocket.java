package dev.peekpass.receiver;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.attribute.UserPrincipalNotFoundException;

/**
 * The UNIX socket that proxies connect or send to, and its file.
 *
 * <p>The socket is bound under another name in the same directory and moved to its path when all is
 * right with it, by {@link BoundFile}. So a proxy never finds it with wrong permissions or not yet
 * listening, and a dead predecessor's file is replaced without a moment in which nothing is there.
 */
final class HandOffSocket {
  private static final int TEMPORARY_NAME_TRIES = 16;

  private final Fd fd;
  private final Path path;
  private final BoundFile file;

  private HandOffSocket(Fd fd, Path path, BoundFile file) {
    this.fd = fd;
    this.path = path;
    this.file = file;
  }

  /**
   * Binds.
   *
   * @param backlog of a stream or seqpacket socket: how many UNIX connections may wait. The kernel
   *     lowers it to net.core.somaxconn
   * @return non-blocking and open; the caller closes it
   * @throws IOException with the remedy; nothing is left open or behind
   */
  static HandOffSocket open(
      Kernel kernel,
      SocketType type,
      Path path,
      SocketAccess access,
      int backlog,
      System.Logger log)
      throws IOException {
    requireUsable(path);
    new PathProbe(kernel, path).requireFree(log);
    int r =
        kernel.socket(Linux.AF_UNIX, type.number() | Linux.SOCK_CLOEXEC | Linux.SOCK_NONBLOCK, 0);
    if (r < 0) {
      throw new SystemCallException("socket for unix:" + path, -r, "");
    }
    Fd fd = Fd.of(r);
    Path temporary = null;
    BoundFile file = null;
    try {
      if (type == SocketType.DATAGRAM) {
        // Before bind, so that not even the first datagram comes without its sender's uid.
        check(
            "setsockopt SO_PASSCRED",
            kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_PASSCRED, 1));
      }
      if (type == SocketType.ACKNOWLEDGED) {
        // What is accepted inherits it, so that nobody can send a descriptor before he is let in:
        // closing the connection of one who is not would wait for one that lingers. Proxies send
        // nothing before HELLO. Unknown before Linux 6.16.
        kernel.setsockopt(fd, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0);
      }
      temporary = bindBeside(kernel, fd, path);
      file = new BoundFile(kernel, temporary, path);
      apply(access, temporary, path);
      if (type != SocketType.DATAGRAM) {
        check("listen unix:" + path, kernel.listen(fd, backlog));
      }
      HandOffSocket socket = new HandOffSocket(fd, path, file);
      file.moveIn(log);
      return socket;
    } catch (IOException | RuntimeException | Error e) {
      try {
        if (file != null) {
          file.removeBeside();
        } else if (temporary != null) {
          Files.deleteIfExists(temporary);
        }
      } finally {
        // Not before: an open socket keeps its inode number from being used again.
        kernel.close(fd);
      }
      throw e;
    }
  }

  private static void requireUsable(Path path) throws IOException {
    int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
    Path name = path.getFileName();
    if (name == null || name.toString().isEmpty()) {
      throw new IOException("bind unix:" + path + ": not the path of a file: name a file");
    }
    if (bytes > SockAddr.UNIX_PATH_MAX_BYTES) {
      throw new IOException(
          "bind unix:"
              + path
              + ": the path has "
              + bytes
              + " bytes, and a UNIX socket's has at most "
              + SockAddr.UNIX_PATH_MAX_BYTES
              + ": choose a shorter one");
    }
    if (!Files.isDirectory(directory(path))) {
      throw new IOException(
          "bind unix:"
              + path
              + ": "
              + directory(path)
              + " is not a directory that this user can see: create it or correct the path");
    }
  }

  private static Path directory(Path path) {
    Path parent = path.getParent();
    return parent == null ? Path.of("") : parent;
  }

  /** Binds to a name that nobody has; returns it. */
  private static Path bindBeside(Kernel kernel, Fd fd, Path path) throws SystemCallException {
    SockAddr address = new SockAddr();
    int r = -Errno.EADDRINUSE;
    for (int i = 0; i < TEMPORARY_NAME_TRIES && r == -Errno.EADDRINUSE; i++) {
      Path temporary = BoundFile.nameBeside(path);
      address.unix(temporary.toString());
      r = kernel.bind(fd, address);
      if (r == 0) {
        return temporary;
      }
    }
    String remedy =
        r == -Errno.EACCES
            ? "this user may not create files in "
                + directory(path).toAbsolutePath()
                + ": change the directory's owner or mode, or choose another path"
            : "";
    throw new SystemCallException("bind unix:" + path, -r, remedy);
  }

  private static void apply(SocketAccess access, Path temporary, Path path) throws IOException {
    String remedy = "";
    try {
      UserPrincipalLookupService users = temporary.getFileSystem().getUserPrincipalLookupService();
      PosixFileAttributeView view =
          Files.getFileAttributeView(temporary, PosixFileAttributeView.class);
      if (access.owner() != null) {
        remedy = "owner(\"" + access.owner() + "\") must name a user, and only root may set it";
        view.setOwner(users.lookupPrincipalByName(access.owner()));
      }
      if (access.group() != null) {
        remedy =
            "group(\"" + access.group() + "\") must name a group that this user is a member of";
        view.setGroup(users.lookupPrincipalByGroupName(access.group()));
      }
      remedy = "";
      // After the owner: chown(2) may clear bits.
      view.setPermissions(access.mode());
    } catch (UserPrincipalNotFoundException e) {
      throw new IOException("unix:" + path + ": no such user or group: " + remedy, e);
    } catch (FileSystemException e) {
      throw new IOException("unix:" + path + ": " + e.getReason() + ": " + remedy, e);
    }
  }

  private static void check(String call, int r) throws SystemCallException {
    if (r < 0) {
      throw new SystemCallException(call, -r, "");
    }
  }

  /** The socket; this object's until {@link #close}. */
  Fd fd() {
    return fd;
  }

  /** Where it is bound. */
  Path path() {
    return path;
  }

  /** Removes the file if it is still this socket's: nobody finds it any more. */
  void removeFile() throws IOException {
    file.removeFromPath();
  }

  /** Removes the file as {@link #removeFile} does, and closes the socket. */
  void close(Kernel kernel) throws IOException {
    try {
      removeFile();
    } finally {
      // Not before: an open socket keeps its inode number from being used again.
      kernel.close(fd);
    }
  }
}
