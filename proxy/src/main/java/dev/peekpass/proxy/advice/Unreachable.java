package dev.peekpass.proxy.advice;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Why the calling thread's user does not get at a file or directory because of its mode, or of a
 * directory's on the way. The same words for whoever finds out: check, a start, a reload.
 *
 * @param fault what that user may not do, as words behind its name
 * @param remedy what to do, with commands as they can be typed
 */
public record Unreachable(String fault, String remedy) {
  /**
   * Looks whether a file can be read that is there.
   *
   * @param name what it is to be called
   * @param moved what would have to be moved; empty: the file where links lead
   * @param better where to
   */
  public static Optional<Unreachable> reading(
      Path file, String name, Optional<String> moved, String better) {
    Way.Hidden hidden = Way.hidden(file);
    if (hidden != null) {
      String what = moved.orElseGet(() -> PathAdvice.quoted(hidden.file()));
      return Optional.of(
          new Unreachable(
              "cannot enter " + hidden.directory(),
              PathAdvice.toEnter(hidden.directory(), what, better)));
    }
    return Files.isReadable(file)
        ? Optional.empty()
        : Optional.of(new Unreachable("may not read " + name, PathAdvice.toRead(file)));
  }

  /**
   * Looks whether the admin socket can be made.
   *
   * @param user the calling thread's
   */
  public static Optional<Unreachable> makingAdminSocket(Path directory, String user) {
    Way.Hidden hidden = Way.hidden(directory.resolve("x"));
    if (hidden == null && Files.isWritable(directory)) {
      return Optional.empty();
    }
    if (hidden == null && !Files.exists(directory)) {
      return Optional.of(
          new Unreachable(
              "cannot make the admin socket, since there is no directory " + directory,
              PathAdvice.toMake(directory, user) + ", or leave admin out"));
    }
    String own = "/run/peekpass" + (user.equals("peekpass") ? "" : "-" + user);
    return Optional.of(
        new Unreachable(
            "cannot make the admin socket in "
                + (hidden == null ? directory : hidden.directory() + ", which it cannot enter"),
            "make a directory of its own for it (%s) and write admin: unix:%s/admin.sock, or leave admin out"
                .formatted(PathAdvice.install(Path.of(own), user), own)));
  }
}
