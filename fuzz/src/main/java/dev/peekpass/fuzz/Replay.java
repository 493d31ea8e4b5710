package dev.peekpass.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Runs inputs through a target again: {@code Replay TARGET FILE…}; or those of all targets, from
 * the packs in a directory: {@code Replay --all DIRECTORY}.
 */
public final class Replay {
  private Replay() {}

  /** Ends with the exception of the first input that breaks a promise. */
  public static void main(String[] arguments) throws IOException {
    if (arguments[0].equals("--all")) {
      for (Targets.Target one : Targets.all()) {
        Path pack = Path.of(arguments[1], one.name() + ".zip");
        if (Files.exists(pack)) {
          Targets.Body body = one.body();
          Targets.unpack(pack, (name, input) -> body.run(input));
        }
      }
      return;
    }
    Targets.Target target =
        Targets.all().stream()
            .filter(one -> one.name().equals(arguments[0]))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no target " + arguments[0]));
    Targets.Body body = target.body();
    for (String file : Arrays.asList(arguments).subList(1, arguments.length)) {
      body.run(Files.readAllBytes(Path.of(file)));
      System.out.println(file + ": every promise is kept");
    }
  }
}
