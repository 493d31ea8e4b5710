package dev.peekpass.cli;

import dev.peekpass.proxy.advice.PathAdvice;
import dev.peekpass.proxy.advice.ReceiverAdvice;
import dev.peekpass.proxy.config.Mistake;
import java.nio.file.Files;
import java.nio.file.Path;
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

  /**
   * Whether the mode of the file, or of a directory on the way, lets the calling thread read it.
   */
  static boolean isHidden(Path file) {
    return ReceiverAdvice.unsearchable(file) != null
        || (Files.exists(file) && !Files.isReadable(file));
  }

  /**
   * Says so, by who the calling thread is.
   *
   * @param shown the file as it was named
   */
  Mistake mistake(String shown) {
    Path file = Path.of(shown);
    @Nullable Path hidden = ReceiverAdvice.unsearchable(file);
    if (hidden != null) {
      return at(shown, who + " cannot enter " + hidden, PathAdvice.toEnter(hidden, BETTER));
    }
    if (!Files.isReadable(file)) {
      return at(
          shown,
          who + " may not read the file",
          "give it to a group of that user and let that group read it (chgrp G %s && chmod g+r %s)"
              .formatted(shown, shown));
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
