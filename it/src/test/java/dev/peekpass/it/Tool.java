package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
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

  /**
   * Builds a program of {@code it/src/test/c}, unless it is in the directory; skips the test, by
   * name, where there is no C compiler.
   */
  public static Path compile(Path dir, String name) throws IOException {
    require("cc");
    Path program = dir.resolve(name);
    if (!Files.exists(program)) {
      String source = Running.ROOT.resolve("it/src/test/c/" + name + ".c").toString();
      Running.Done done =
          Running.run(
              dir, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program.toString(), source);
      assertThat(done.status()).as(done.errors()).isZero();
    }
    return program;
  }
}
