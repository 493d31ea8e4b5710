package dev.peekpass.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;

/** Runs foreign clients. Where one is missing the test is skipped, and says so. */
public final class Curl {
  private Curl() {}

  /** What curl writes to its standard output. */
  public static String run(String... arguments) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(List.of("curl", "--silent", "--show-error", "--max-time", "60"));
    command.addAll(List.of(arguments));
    return output(command, "");
  }

  /** What a program writes when it reads {@code input}. */
  public static String output(List<String> command, String input)
      throws IOException, InterruptedException {
    need(command.getFirst());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.outputWriter(ISO_8859_1).append(input).flush();
    String output = new String(process.getInputStream().readAllBytes(), ISO_8859_1);
    process.waitFor();
    return output;
  }

  /** Skips the test, loudly, without the program. */
  public static void need(String program) {
    boolean there =
        Optional.ofNullable(System.getenv("PATH")).stream()
            .flatMap(path -> java.util.Arrays.stream(path.split(":", -1)))
            .anyMatch(directory -> new java.io.File(directory, program).canExecute());
    if (!there) {
      System.err.println("SKIPPED: a test of peekpass serve needs " + program);
    }
    Assumptions.assumeTrue(there, program + " is not installed");
  }
}
