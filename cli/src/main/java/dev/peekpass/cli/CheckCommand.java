package dev.peekpass.cli;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.ListenerConfig;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.probe.ReceiverCheck;
import dev.peekpass.proxy.route.RouteTable;
import java.io.PrintWriter;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code check}: names every mistake in a configuration. */
@Command(
    name = "check",
    description = "Checks a configuration and names every mistake in it.",
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:the configuration has no mistake (warnings go to standard error)",
      "1:it has, or cannot be read: FILE:LINE:COLUMN: what is wrong, what to write instead; or run"
          + " could not start with it: there is no such user or group (a warning with"
          + " --receivers=off), or that user may not read"
          + " the file or make the admin socket; with --receivers=strict also when a receiver does"
          + " not let the proxy's user in",
      "2:the arguments are wrong"
    })
public final class CheckCommand implements Callable<Integer> {
  /** What a receiver that is not there, or does not let this user in, comes to. */
  enum Receivers {
    warn,
    strict,
    off
  }

  private static final ReceiverCheck.Answer NOT_ASKED =
      new ReceiverCheck.Answer(List.of(), List.of());

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      required = true,
      description = "The configuration; - reads standard input.")
  private String file = "";

  @Option(
      names = "--receivers",
      paramLabel = "HOW",
      defaultValue = "warn",
      description =
          "Connects to the backends' sockets, hands nothing over, and says which do not let the"
              + " proxy's user in: warn (the default), strict (then it ends with 1), or off, also"
              + " for another machine's configuration: a user or group that is not here is a"
              + " warning then. Started by root it does so as user: of the configuration, else as who starts it.")
  private Receivers receivers = Receivers.warn;

  CheckCommand() {}

  /** Checks the file; 0 or 1. */
  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    return switch (ConfigurationFile.read(file, System.in)) {
      case ConfigurationReader.Valid(Configuration configuration, List<Mistake> warnings) -> {
        String shown = file.equals("-") ? "<stdin>" : file;
        warnings.forEach(warning -> err.println("warning: " + warning));
        StartCheck start =
            new StartCheck(
                LinuxKernel.open(),
                configuration,
                ConfigurationFile.isReadOnce(file) ? Optional.empty() : Optional.of(file),
                System.getenv(),
                receivers == Receivers.off);
        ReceiverCheck.Answer answer = start.with(() -> ask(configuration)).orElse(NOT_ASKED);
        start.errors().forEach(error -> err.println(shown + ": " + error));
        start.warnings().forEach(warning -> err.println("warning: " + shown + ": " + warning));
        String label = receivers == Receivers.strict ? "" : "warning: ";
        for (ReceiverCheck.Complaint complaint : answer.complaints()) {
          err.println(label + shown + ":" + complaint.backend().line() + ": " + complaint);
        }
        start.notes().forEach(note -> err.println("note: " + note));
        answer.notes().forEach(note -> err.println("note: " + note));
        if (!start.errors().isEmpty()) {
          yield 1;
        }
        int closed = answer.complaints().size();
        if (receivers == Receivers.strict && closed > 0) {
          out.println(shown + ": valid, but " + count(closed, "receiver") + " would get nothing");
          yield 1;
        }
        out.println(shown + ": ok, " + summary(configuration));
        yield 0;
      }
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) -> {
        mistakes.forEach(err::println);
        yield 1;
      }
    };
  }

  /** As the calling thread's user. */
  private ReceiverCheck.Answer ask(Configuration configuration) {
    return receivers == Receivers.off
        ? NOT_ASKED
        : ReceiverCheck.ask(LinuxKernel.open(), configuration.backends());
  }

  private static String summary(Configuration configuration) {
    // Listeners share the common table; count it once.
    Set<RouteTable> tables = Collections.newSetFromMap(new IdentityHashMap<>());
    tables.add(configuration.routes());
    for (ListenerConfig listener : configuration.listeners()) {
      tables.add(listener.routes());
    }
    return count(configuration.listeners().size(), "listener")
        + ", "
        + count(configuration.backends().size(), "backend")
        + ", "
        + count(tables.stream().mapToInt(RouteTable::size).sum(), "route");
  }

  private static String count(int number, String noun) {
    return number + " " + noun + (number == 1 ? "" : "s");
  }
}
