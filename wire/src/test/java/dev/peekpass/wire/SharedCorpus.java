package dev.peekpass.wire;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** The corpus that stands beside the project and is no part of it. */
final class SharedCorpus {
  private SharedCorpus() {}

  /**
   * Its directory: {@code -Dpeekpass.shared=DIR}, or {@code shared} beside the project's root.
   * Skips the calling test, and says so on standard error, if it is not there.
   */
  static Path directoryOrSkip() {
    String property = System.getProperty("peekpass.shared");
    Path shared =
        property != null ? Path.of(property) : Path.of("..", "..", "shared").toAbsolutePath();
    Path corpus = shared.resolve("corpus").normalize();
    if (!Files.isDirectory(corpus)) {
      System.err.println("SKIPPED: no shared corpus at " + corpus + "; set -Dpeekpass.shared=DIR");
      Assumptions.abort("no shared corpus at " + corpus);
    }
    return corpus;
  }
}
