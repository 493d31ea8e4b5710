package dev.peekpass.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code reload}: has a running proxy read its configuration anew. */
@Command(
    name = "reload",
    description = {
      "Has the running proxy read its configuration file anew and go over to it.",
      "",
      "No connection is lost. If the file has mistakes, or an address cannot be bound, nothing"
          + " changes and the mistakes are printed. SIGHUP does the same, with the mistakes in the"
          + " proxy's log."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the new configuration is in force",
      "1:it was refused, and the old one is in force",
      "2:the arguments are wrong",
      "3:no proxy could be asked"
    })
final class ReloadCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();
  @Mixin private AdminOptions options = new AdminOptions();

  ReloadCommand() {}

  /** Asks and prints. */
  @Override
  public Integer call() {
    PrintWriter err = spec.commandLine().getErr();
    return AdminRequest.run(
        spec,
        options,
        "reload",
        (text, answer) -> {
          AdminRequest.texts(answer, "warnings").forEach(line -> err.println("warning: " + line));
          AdminRequest.texts(answer, "notes").forEach(line -> err.println("unchanged: " + line));
          spec.commandLine().getOut().println("reloaded");
        });
  }
}
