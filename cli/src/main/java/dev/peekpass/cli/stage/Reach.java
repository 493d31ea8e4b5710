package dev.peekpass.cli.stage;

import dev.peekpass.proxy.advice.ReceiverAdvice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Whether a thread that has become another user can reach what it needs (access(2)). */
final class Reach {
  private final String user;

  Reach(String user) {
    this.user = user;
  }

  void requireReadable(String file, String what) throws IOException {
    Path path = Path.of(file);
    @Nullable Path hidden = ReceiverAdvice.unsearchable(path);
    if (hidden != null) {
      throw new IOException(
          "user %s cannot enter %s, and needs %s, which is in there (%s): %s"
              .formatted(user, hidden, what, file, Remedies.ofHidden(hidden, what)));
    }
    if (Files.exists(path) && !Files.isReadable(path)) {
      throw new IOException(
          "user %s cannot read %s, %s: change its owner, group or mode"
              .formatted(user, file, what));
    }
  }

  void requireWritable(String directory) throws IOException {
    Path path = Path.of(directory);
    @Nullable Path hidden = ReceiverAdvice.unsearchable(path.resolve("x"));
    if (hidden != null || !Files.isWritable(path)) {
      throw new IOException(
          "user %s cannot make the admin socket in %s: make a directory of its own for it (install -d -o %s -m 700 …), or leave admin out"
              .formatted(user, hidden == null ? directory : hidden, user));
    }
  }
}
