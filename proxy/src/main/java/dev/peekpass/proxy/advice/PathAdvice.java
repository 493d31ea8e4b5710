package dev.peekpass.proxy.advice;

import java.nio.file.Path;
import java.util.List;

/**
 * What to do where a user cannot enter a directory. Never to open it to everybody: what else is in
 * there would be open, too.
 */
public final class PathAdvice {
  /** Each is one user's alone, with what is in it. */
  private static final List<String> PRIVATE =
      List.of(
          "/root",
          "/run/user",
          "/var/lib/private",
          "/var/cache/private",
          "/var/log/private",
          "/etc/ssl/private");

  private PathAdvice() {}

  /** Whether a directory is one user's own, such as a home, so that nobody else is to be let in. */
  public static boolean isPrivate(Path directory) {
    Path absolute = directory.toAbsolutePath().normalize();
    return PRIVATE.stream().anyMatch(absolute::startsWith)
        || (absolute.startsWith("/home") && absolute.getNameCount() > 1);
  }

  /**
   * How a user gets to what is behind a directory that it cannot enter.
   *
   * @param hidden that directory
   * @param better where what is needed could be instead, such as {@code /etc/peekpass}
   */
  public static String toEnter(Path hidden, String better) {
    String move = "move that to " + better + " or the like";
    return isPrivate(hidden)
        ? move + ", and leave " + hidden + " closed"
        : move + ", or let a group of that user enter (" + toGroup(hidden) + ")";
  }

  /** How a group is let into a directory. */
  static String toGroup(Path directory) {
    return "chgrp G " + directory + " && chmod g+x " + directory;
  }
}
