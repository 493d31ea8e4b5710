package dev.peekpass.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code drain}: lets a backend of a running proxy get no new connections. */
@Command(
    name = "drain",
    description = {
      "Lets a backend of the running proxy get no new connections.",
      "",
      "They go to the fallback if that is another backend, else they are told that the server is"
          + " unavailable. Connections that it has are not touched. It lasts, through reloads and"
          + " takeovers, until undrain."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:there is no such backend",
      "2:the arguments are wrong",
      "3:no proxy could be asked"
    })
final class DrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private AdminOptions options = new AdminOptions();

  @Parameters(paramLabel = "BACKEND", description = "Its name in the configuration.")
  private String backend = "";

  DrainCommand() {}

  /** Asks and prints. */
  @Override
  public Integer call() {
    return AdminRequest.run(
        spec,
        options,
        "drain " + backend,
        (text, answer) -> spec.commandLine().getOut().println("drained: " + backend));
  }
}
