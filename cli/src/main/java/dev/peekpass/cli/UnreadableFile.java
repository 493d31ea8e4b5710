package dev.peekpass.cli;

import dev.peekpass.proxy.advice.Unreachable;
import dev.peekpass.proxy.config.Mistake;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Why a configuration may not be read, and what to do.
 *
 * @param who may not, as a message begins
 * @param confinedTo the configuration's directory when that process was started, if it is confined
 *     to files
 */
record UnreadableFile(String who, @Nullable ConfigurationDirectory confinedTo) {
  private static final String BETTER = "/etc/peekpass";

  /** One that reads as this process's user and is not confined. */
  static UnreadableFile byThisUser(int uid) {
    return new UnreadableFile("this user (uid " + Integer.toUnsignedString(uid) + ")", null);
  }

  /** A proxy that serves as this process's user. */
  static UnreadableFile byTheProxy(int uid, @Nullable ConfigurationDirectory confinedTo) {
    String name = System.getProperty("user.name", "?");
    return new UnreadableFile(
        "the proxy, which runs as user %s (uid %s),".formatted(name, Integer.toUnsignedString(uid)),
        confinedTo);
  }

  /** Why the calling thread's user may not read a file that is there, if modes are why. */
  static Optional<Unreachable> why(String file) {
    return Unreachable.reading(
        Path.of(file).toAbsolutePath(), "the file", Optional.empty(), BETTER);
  }

  /**
   * Says so, by who the calling thread is.
   *
   * @param shown the file as it was named
   */
  Mistake mistake(String shown) {
    Optional<Unreachable> why = why(shown);
    if (why.isPresent()) {
      return at(shown, who + " " + why.get().fault(), why.get().remedy());
    }
    ConfigurationDirectory started = confinedTo;
    return started != null
        ? at(
            shown,
            who + " may not read the file, since it is confined to what it was started with",
            started.isAnother()
                ? started
                    + " is not the directory that was there when it started: peekpass run --takeover"
                : "if it leads to another directory, or was put in the place of one in a directory of many"
                    + " others: peekpass run --takeover, and keep it in a directory of its own, such as "
                    + BETTER)
        : at(
            shown,
            who + " may not read the file, though its mode lets that user",
            "see the log of the security module (SELinux, AppArmor) that forbids it");
  }

  private static Mistake at(String file, String message, String remedy) {
    return new Mistake(file, 1, 1, message, remedy);
  }
}
