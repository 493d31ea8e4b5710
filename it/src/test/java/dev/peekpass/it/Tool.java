package dev.peekpass.it;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/** Programs that tests run when they are installed, and are skipped by name when they are not. */
public final class Tool {
  private Tool() {}

  /**
   * Skips the test, loudly, unless a program is on the PATH. Such a test is tagged {@code
   * processes}, so that {@code ./test --quick} leaves it out.
   */
  public static void require(String program) {
    if (Boolean.getBoolean("peekpass.quick")) {
      throw new AssertionError(
          "this test starts " + program + " in ./test --quick: tag it @Tag(\"processes\")");
    }
    Assumptions.assumeTrue(
        isInstalled(program),
        () -> "SKIPPED: " + program + " is not installed; ./test says how to install it");
  }

  public static boolean isInstalled(String program) {
    return path(program).isPresent();
  }

  /** Where a program is. */
  static Optional<String> path(String program) {
    for (String dir : System.getenv("PATH").split(File.pathSeparator, -1)) {
      Path path = Path.of(dir, program);
      if (Files.isExecutable(path)) {
        return Optional.of(path.toString());
      }
    }
    return Optional.empty();
  }
}
