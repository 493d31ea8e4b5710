package dev.peekpass.cli;

import dev.peekpass.cli.process.Signals;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code peekpass run}: the proxy. */
@Command(
    name = "run",
    description = {
      "Runs the proxy until SIGTERM or SIGINT.",
      "",
      "Prints one line on standard output for each address it listens on. With access-log: true in"
          + " the configuration, a line for each connection follows. Events go to standard error."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:stopped by a signal, cleanly",
      "1:the configuration has mistakes, an address cannot be bound, or a fault ended the proxy",
      "2:wrong usage"
    })
final class RunCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(RunCommand.class);

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      required = true,
      description = "The configuration; - is standard input.")
  private String file = "";

  @Option(
      names = "--log-level",
      paramLabel = "LEVEL",
      defaultValue = "info",
      description = "One of ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private LogLevel level = LogLevel.info;

  @Override
  public Integer call() throws InterruptedException {
    Logging.level(level);
    Configuration configuration;
    switch (ConfigurationFile.read(file, System.in)) {
      case ConfigurationReader.Valid(Configuration valid, List<Mistake> warnings) -> {
        warnings.forEach(warning -> System.err.println("warning: " + warning));
        configuration = valid;
      }
      case ConfigurationReader.Mistakes(List<Mistake> mistakes) -> {
        mistakes.forEach(System.err::println);
        return 1;
      }
    }
    final Proxy proxy;
    // The access log writes lines by the thousand: System.out would flush each.
    PrintStream out =
        new PrintStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16),
            false,
            StandardCharsets.UTF_8);
    try {
      proxy = Proxy.start(configuration, LinuxKernel::open, out);
    } catch (SystemCallException e) {
      System.err.println("peekpass: " + e.getMessage());
      return 1;
    }
    // Before it is said that it listens: whoever reads that may send a signal at once.
    Signals.onStop(() -> {
      LOG.info("stopping: no new connections; those already passed are not touched");
      proxy.stop();
    });
    Signals.onHangUp(
        () -> LOG.warn("SIGHUP: this version cannot reload; to change the configuration, restart"));
    proxy.addresses().forEach(address -> System.out.println("peekpass: listening on " + address));
    System.out.flush();
    LOG.info("running as process {}", ProcessHandle.current().pid());
    boolean clean = proxy.await();
    LOG.info(
        "stopped; connections by outcome: {}; {}",
        nonZero(proxy.outcomes()),
        nonZero(proxy.counts()));
    return clean ? 0 : 1;
  }

  private static String nonZero(Map<? extends Enum<?>, Long> counts) {
    return counts.entrySet().stream()
        .filter(entry -> entry.getValue() != 0)
        .map(entry -> label(entry.getKey()) + "=" + entry.getValue())
        .collect(Collectors.joining(" "));
  }

  private static String label(Enum<?> name) {
    return name.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
