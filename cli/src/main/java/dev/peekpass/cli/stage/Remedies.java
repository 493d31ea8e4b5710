package dev.peekpass.cli.stage;

import dev.peekpass.linux.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What to do about a call of a start that the kernel refuses, by the error. */
final class Remedies {
  private Remedies() {}

  /**
   * Of the calls by which a process gives up what it is.
   *
   * @param errno positive, of the manual pages of those calls
   * @param root whether root makes it
   */
  static String ofGivingUp(int errno, boolean root) {
    return ofGivingUp(errno, root, Path.of("/proc/self/setgroups"));
  }

  /**
   * As the other.
   *
   * @param setgroups the file that says whether groups may be set in this user namespace,
   *     user_namespaces(7)
   */
  static String ofGivingUp(int errno, boolean root, Path setgroups) {
    if (errno == Errno.EPERM && root && saysDeny(setgroups)) {
      return "nobody may set groups in this user namespace (/proc/self/setgroups says deny), as in a"
          + " rootless container: leave user and group out, since its root is whoever made it, or"
          + " map more users (/etc/subuid, newuidmap)";
    }
    return switch (errno) {
      case Errno.EAGAIN -> "that user has too many processes: raise LimitNPROC=, ulimit -u";
      case Errno.EINVAL ->
          "that user or one of its groups has no number in this user namespace: map it, or write"
              + " another user, or leave user out, since root of a rootless container is whoever"
              + " started it";
      case Errno.EPERM ->
          root
              ? "root lacks CAP_SETUID or CAP_SETGID here (CapabilityBoundingSet=, the container's"
                  + " capabilities), or may not set groups in this user namespace: allow it, or"
                  + " start it as the user itself and without user"
              : "start it as root, or as the user itself and without user";
      default -> "start it as root, or as the user itself and without user";
    };
  }

  private static boolean saysDeny(Path setgroups) {
    try {
      return Files.readString(setgroups).strip().equals("deny");
    } catch (IOException e) {
      // Before Linux 3.19, or without /proc.
      return false;
    }
  }

  /**
   * Of execve(2).
   *
   * @param path of the program
   */
  static String ofExec(int errno, String path) {
    return switch (errno) {
      // A capability of the file that the bounding set lacks, by capabilities(7).
      case Errno.EPERM ->
          "if that file has capabilities (getcap), take them away (setcap -r %s): root's start needs none"
              .formatted(path);
      case Errno.EAGAIN -> "that user has too many processes: raise LimitNPROC=, ulimit -u";
      case Errno.E2BIG -> "command line and environment are too long: shorten them, or ulimit -s";
      case Errno.ENOMEM -> "free memory, or raise its limits";
      case Errno.EMFILE, Errno.ENFILE -> "raise the limit of open files";
      default ->
          "the JDK's files must be those that this process was started from, and the user must be"
              + " able to execute them";
    };
  }
}
