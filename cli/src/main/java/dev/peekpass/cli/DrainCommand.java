package dev.peekpass.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code drain}: lets a backend of a running proxy get no new connections. */
@Command(
    name = "drain",
    description = {
      "Lets a backend of the running proxy get no new connections.",
      "",
      "They go to its backup, else to the fallback if that is another backend, else they are told"
          + " that the server is unavailable. Connections that it has are not touched. It lasts, through reloads and"
          + " takeovers, until undrain."
    })
final class DrainCommand extends BackendRequest implements Callable<Integer> {
  DrainCommand() {}

  /** Drains. */
  @Override
  public Integer call() {
    return run("drain", "drained");
  }
}
