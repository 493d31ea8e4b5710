package dev.peekpass.cli;

import dev.peekpass.cli.demo.DemoCommand;
import dev.peekpass.cli.serve.ServeCommand;
import java.util.List;
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
      "From a checkout, `peekpass agent-jar` builds the agent for Java servers and prints where it is,",
      "and `peekpass aot-cache` makes the cache that `peekpass run` starts quickly from."
    })
public final class Peekpass implements Runnable {
  private static final List<String> NAMES =
      List.of(
          "run", "check", "explain", "status", "reload", "drain", "undrain", "peek", "serve",
          "demo");

  @Spec private CommandSpec spec = CommandSpec.create();

  Peekpass() {}

  /**
   * The command line for these arguments, ready to execute. When they begin with the name of a
   * command, it has that command only: picocli looks at every annotation of each that it has, which
   * for all of them takes some 30 ms.
   */
  public static CommandLine commandLine(String... arguments) {
    String first = arguments.length == 0 ? "" : arguments[0];
    CommandLine line = new CommandLine(new Peekpass());
    for (String name : NAMES.contains(first) ? List.of(first) : NAMES) {
      line.addSubcommand(name, command(name));
    }
    return line.setCaseInsensitiveEnumValuesAllowed(true);
  }

  private static Object command(String name) {
    return switch (name) {
      case "run" -> new RunCommand();
      case "check" -> new CheckCommand();
      case "explain" -> new ExplainCommand();
      case "status" -> new StatusCommand();
      case "reload" -> new ReloadCommand();
      case "drain" -> new DrainCommand();
      case "undrain" -> new UndrainCommand();
      case "peek" -> new PeekCommand();
      case "serve" -> new ServeCommand();
      case "demo" -> new DemoCommand();
      default -> throw new IllegalArgumentException(name);
    };
  }

  /** Without a subcommand there is nothing to do: says so, with the usage, as exit code 2. */
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Missing command");
  }
}
