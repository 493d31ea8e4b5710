package dev.peekpass.cli;

import dev.peekpass.cli.demo.DemoCommand;
import dev.peekpass.cli.serve.ServeCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The root command: it only names the others.
 *
 * <p>Exit codes: 0 it went well, 1 it failed, 2 the arguments are wrong, 3 as the command says.
 */
@Command(
    name = "peekpass",
    description = "A transparent reverse proxy that passes the connection itself.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    usageHelpAutoWidth = true,
    footer = {
      "",
      "From a checkout, `peekpass agent-jar` builds the agent for Java servers and prints where it is."
    },
    subcommands = {
      RunCommand.class, //
      CheckCommand.class, //
      ExplainCommand.class, //
      StatusCommand.class, //
      ReloadCommand.class, //
      DrainCommand.class, //
      UndrainCommand.class, //
      PeekCommand.class, //
      ServeCommand.class, //
      DemoCommand.class, //
    })
public final class Peekpass implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  Peekpass() {}

  /** The command line, ready to execute. */
  public static CommandLine commandLine() {
    return new CommandLine(new Peekpass()).setCaseInsensitiveEnumValuesAllowed(true);
  }

  /** Without a subcommand there is nothing to do: says so, with the usage, as exit code 2. */
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing command");
  }
}
