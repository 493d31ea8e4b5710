package dev.peekpass.cli.stage;

import dev.peekpass.linux.Errno;

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
    return switch (errno) {
      case Errno.EAGAIN -> "that user has too many processes: raise LimitNPROC=, ulimit -u";
      case Errno.EINVAL ->
          "that user or one of its groups has no number in this user namespace: map it, or write"
              + " another user";
      case Errno.EPERM ->
          root
              ? "root lacks CAP_SETUID or CAP_SETGID here (CapabilityBoundingSet=, the container's"
                  + " capabilities), or may not set groups in this user namespace: allow it, or"
                  + " start it as the user itself and without user"
              : "start it as root, or as the user itself and without user";
      default -> "start it as root, or as the user itself and without user";
    };
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
