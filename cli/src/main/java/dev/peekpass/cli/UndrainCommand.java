package dev.peekpass.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code undrain}: ends what {@code drain} began. */
@Command(
    name = "undrain",
    description = "Lets a drained backend of the running proxy get new connections again.",
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:there is no such backend",
      "2:the arguments are wrong",
      "3:no proxy could be asked"
    })
final class UndrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private AdminOptions options = new AdminOptions();

  @Parameters(paramLabel = "BACKEND", description = "Its name in the configuration.")
  private String backend = "";

  UndrainCommand() {}

  /** Asks and prints. */
  @Override
  public Integer call() {
    return AdminRequest.run(
        spec,
        options,
        "undrain " + backend,
        (text, answer) -> spec.commandLine().getOut().println("no longer drained: " + backend));
  }
}
