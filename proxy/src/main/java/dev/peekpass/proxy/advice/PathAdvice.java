package dev.peekpass.proxy.advice;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What to do where the calling thread's user cannot enter a directory, or read a file. Never to
 * open it to everybody: what else is in there would be open, too.
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

  private static final Pattern PLAIN = Pattern.compile("[\\w./+:@%=,-]+");

  private PathAdvice() {}

  /** Whether a directory is one user's own, such as a home, so that nobody else is to be let in. */
  public static boolean isPrivate(Path directory) {
    Path absolute = directory.toAbsolutePath().normalize();
    return PRIVATE.stream().anyMatch(absolute::startsWith)
        || (absolute.startsWith("/home") && absolute.getNameCount() > 1);
  }

  /**
   * How the calling thread's user gets to what is behind a directory that it cannot enter.
   *
   * @param hidden that directory
   * @param what is behind it and needed
   * @param better where that could be instead, such as {@code /etc/peekpass}
   */
  static String toEnter(Path hidden, String what, String better) {
    String move = "move " + what + " to " + better;
    return isPrivate(hidden)
        ? move + ", and leave " + hidden + " closed"
        : move + ", or let the group " + Self.group() + " enter (" + toGroup(hidden) + ")";
  }

  /** How the calling thread's group is let into a directory. */
  static String toGroup(Path directory) {
    return "chgrp " + Self.group() + " " + quoted(directory) + " && chmod g+x " + quoted(directory);
  }

  /** How the calling thread's user gets to read a file or directory. */
  static String toRead(Path file) {
    String rights = Files.isDirectory(file) ? "+rx " : "+r ";
    String name = quoted(file);
    if (isOwner(file)) {
      return "let its owner read it (chmod u" + rights + name + ")";
    }
    return "let the group %s read it (chgrp %s %s && chmod g%s%s)"
        .formatted(Self.group(), Self.group(), name, rights, name);
  }

  private static boolean isOwner(Path file) {
    try {
      return Files.getAttribute(file, "unix:uid").equals(Self.uid());
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  /** How a directory is made that is a user's own. */
  public static String toMake(Path directory, String user) {
    return "make it (" + install(directory, user) + ")";
  }

  static String install(Path directory, String user) {
    return "install -d -o " + user + " -m 700 " + quoted(directory);
  }

  /** A path as a shell takes it. */
  static String quoted(Path path) {
    String text = path.toString();
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "'\\''") + "'";
  }
}
