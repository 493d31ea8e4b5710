package dev.peekpass.cli.stage;

import dev.peekpass.proxy.advice.ReceiverAdvice;
import dev.peekpass.proxy.advice.Unreachable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Whether a thread that has become another user can reach what it needs (access(2)). */
final class Reach {
  private final String user;

  Reach(String user) {
    this.user = user;
  }

  /**
   * Of the JDK or the program.
   *
   * @param better where that could be
   */
  void requireReadable(String file, String what, String better) throws IOException {
    Path path = Path.of(file);
    // The module path may name what is not there.
    if (Files.exists(path) || isHidden(path)) {
      require(Unreachable.reading(path, file + ", " + what, Optional.of(what), better));
    }
  }

  private static boolean isHidden(Path path) {
    return ReceiverAdvice.unsearchable(path) != null;
  }

  /** Root has read it. */
  void requireReadableConfiguration(Path file) throws IOException {
    require(
        Unreachable.reading(file, "the configuration " + file, Optional.empty(), "/etc/peekpass"));
  }

  void requireWritable(String directory) throws IOException {
    require(Unreachable.makingAdminSocket(Path.of(directory), user));
  }

  private void require(Optional<Unreachable> why) throws IOException {
    if (why.isPresent()) {
      throw new IOException("user " + user + " " + why.get().fault() + ": " + why.get().remedy());
    }
  }
}
