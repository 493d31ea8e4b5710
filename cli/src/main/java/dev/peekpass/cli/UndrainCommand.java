package dev.peekpass.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code undrain}: ends what {@code drain} began. */
@Command(
    name = "undrain",
    description = "Lets a drained backend of the running proxy get new connections again.")
final class UndrainCommand extends BackendRequest implements Callable<Integer> {
  UndrainCommand() {}

  /** Ends the draining. */
  @Override
  public Integer call() {
    return run("undrain", "no longer drained");
  }
}
