package dev.peekpass.cli;

import dev.peekpass.cli.process.HeldSignals;
import dev.peekpass.cli.stage.FirstStage;
import dev.peekpass.cli.stage.HandedDown;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.admin.TakeoverTimes;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.systemd.Notifier;
import dev.peekpass.proxy.systemd.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code peekpass run}: the proxy. */
@Command(
    name = "run",
    description = {
      "Runs the proxy until SIGTERM or SIGINT.",
      "",
      "Prints one line on standard output for each address it listens on. With access-log: true in"
          + " the configuration, a line for each connection follows. Events go to standard error.",
      "",
      "SIGHUP reads the configuration anew, like peekpass reload. SIGTERM and SIGINT finish what"
          + " is under way, for a second at most. A second SIGINT ends the process at once, and so"
          + " does another SIGTERM 300 ms later or more."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:stopped by a signal, cleanly, or taken over by another process",
      "1:the configuration has mistakes, an address cannot be bound, or a fault ended the proxy",
      "2:wrong usage",
      "130, 143:ended at once by a further SIGINT or SIGTERM"
    })
final class RunCommand implements Callable<Integer> {
  private static final Logger LOG = LoggerFactory.getLogger(RunCommand.class);

  /** Null when this was not made by picocli. */
  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = {"-c", "--config"},
      paramLabel = "FILE",
      required = true,
      description = "The configuration; - is standard input.")
  private String file;

  @Option(
      names = "--takeover",
      description = {
        "Takes the listening sockets over from the proxy that is running, which finishes what it"
            + " has and ends. No client notices. If this process cannot start, that one goes on;"
            + " if none is running, this one starts as always."
      })
  private boolean takeover;

  @Option(
      names = "--admin",
      paramLabel = "unix:PATH",
      description = "With --takeover: where the running proxy is, if not where this one will be.")
  private String oldAdmin = "";

  @Option(
      names = "--log-level",
      paramLabel = "LEVEL",
      defaultValue = "info",
      description = "One of ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}.")
  private LogLevel level = LogLevel.info;

  /** Whether a start may become another program; a test in another's JVM must not. */
  private final boolean staged;

  /** Whether files are confined, set once. */
  private volatile boolean confined;

  /** Where the file was when files were confined; set before that. */
  private ConfigurationDirectory directory = ConfigurationDirectory.of("-");

  private final TakeoverTimes times;
  private final Consumer<Start.Step> observer;
  private final HeldSignals signals = HeldSignals.find();

  /** For picocli, which sets the options. */
  RunCommand() {
    this("");
  }

  /** As {@code run -c FILE}. */
  RunCommand(String file) {
    this(file, false, TakeoverTimes.STANDARD, step -> {}, true);
  }

  /** As {@code run -c FILE}, perhaps with {@code --takeover}; for tests, which hold it up. */
  RunCommand(String file, boolean takeover, TakeoverTimes times, Consumer<Start.Step> observer) {
    this(file, takeover, times, observer, false);
  }

  private RunCommand(
      String file,
      boolean takeover,
      TakeoverTimes times,
      Consumer<Start.Step> observer,
      boolean staged) {
    this.staged = staged;
    this.file = file;
    this.takeover = takeover;
    this.times = times;
    this.observer = observer;
  }

  /** Runs the proxy without picocli, and returns the exit code. */
  int execute() {
    try {
      return call();
    } catch (InterruptedException | RuntimeException e) {
      e.printStackTrace();
      return 1;
    }
  }

  @Override
  public Integer call() throws InterruptedException {
    // Whoever starts it may stop reading.
    Console.install();
    signals.begin(RunCommand::stopEarly);
    Logging.level(level);
    HandedDown handed;
    try {
      handed = staged ? HandedDown.find(LinuxKernel.open(), System.getenv()).orElse(null) : null;
    } catch (IOException e) {
      System.err.println("peekpass: " + e.getMessage());
      return 1;
    }
    String[] text = {""};
    ConfigurationReader.Result read =
        handed == null
            ? ConfigurationFile.read(file, System.in, whole -> text[0] = whole)
            : ConfigurationFile.of(file, handed.configuration());
    return switch (read) {
      case ConfigurationReader.Valid(Configuration valid, List<Mistake> warnings) -> {
        if (handed == null) {
          warnings.forEach(warning -> System.err.println("warning: " + warning));
        }
        yield start(valid, text[0], handed);
      }
      case ConfigurationReader.Mistakes(List<Mistake> mistakes, _) -> {
        mistakes.forEach(System.err::println);
        yield 1;
      }
    };
  }

  private int start(Configuration configuration, String text, @Nullable HandedDown handed)
      throws InterruptedException {
    if (!takeover && !oldAdmin.isEmpty()) {
      throw new ParameterException(spec().commandLine(), "--admin is of use with --takeover only");
    }
    if (staged && handed == null) {
      boolean root = LinuxKernel.open().geteuid() == 0;
      if (FirstStage.isWanted(configuration, root)) {
        return become(configuration, text);
      }
      if (root && configuration.privileges().user().isEmpty()) {
        FirstStage.warnOfRoot();
      }
    }
    directory = ConfigurationDirectory.of(file);
    confined = handed != null && handed.bounds().landlock() > 0;
    Start.Options options =
        new Start.Options(
            handed,
            takeover ? from() : null,
            this::readAgain,
            file,
            Console.out().lines(),
            System.getenv(),
            times,
            observer);
    try (Start start = new Start(configuration, LinuxKernel::open, options)) {
      return run(start);
    } catch (OutOfMemoryError e) {
      System.err.println("peekpass: " + e.getMessage() + ": free memory, or raise its limits");
      return 1;
    }
  }

  /** Becomes the second program of the start; returns only when it cannot. */
  private int become(Configuration configuration, String text) {
    Optional<Path> path =
        file.equals("-") ? Optional.empty() : Optional.of(Path.of(file).toAbsolutePath());
    FirstStage.Request request =
        new FirstStage.Request(
            configuration,
            text,
            path,
            takeover ? from() : null,
            System.getenv(),
            times,
            exec -> {
              Console.flush();
              signals.handOver(exec);
            });
    try {
      FirstStage.run(LinuxKernel.open(), request);
      return 1;
    } catch (IOException e) {
      System.err.println("peekpass: " + e.getMessage());
      return e instanceof HeldSignals.StoppedException ? 0 : 1;
    }
  }

  /** A signal has come before anything was asked or opened that another would miss. */
  private static void stopEarly() {
    LOG.info("stopping before it served");
    System.exit(0);
  }

  private int run(Start start) throws InterruptedException {
    try {
      // Before anything is asked of a running proxy: the JVM's own handlers would let this process
      // take over while it is ending.
      signals.handle(start::stop, start::reload);
      start.prepare();
      start.serve();
    } catch (IOException e) {
      System.err.println("peekpass: " + e.getMessage());
      return start.wasStoppedEarly() || e instanceof HeldSignals.StoppedException ? 0 : 1;
    }
    return untilItEnds(start);
  }

  private String from() {
    return oldAdmin.isEmpty() ? "" : AdminOptions.parse(spec(), oldAdmin);
  }

  private CommandSpec spec() {
    return Objects.requireNonNull(spec, "set by picocli");
  }

  private static int untilItEnds(Start start) throws InterruptedException {
    Proxy proxy = start.proxy();
    proxy.addresses().forEach(address -> System.out.println("peekpass: listening on " + address));
    System.out.flush();
    LOG.info("running as process {}", LinuxKernel.open().getpid());
    Notifier notifier = start.notifier();
    notifier.ready("Listening on " + String.join(", ", proxy.addresses()));
    Watchdog.start(System.getenv(), notifier, proxy::turns);
    boolean clean = proxy.await();
    start.close();
    LOG.info(
        "stopped; connections by outcome: {}; counts: {}",
        nonZero(proxy.outcomes()),
        nonZero(proxy.counts()));
    return clean ? 0 : 1;
  }

  private ConfigurationReader.Result readAgain() {
    if (file.equals("-")) {
      return ConfigurationReader.Mistakes.unreadable(
          new Mistake(
              "<stdin>",
              1,
              1,
              "standard input cannot be read again",
              "start the proxy with -c FILE"));
    }
    Path path = Path.of(file);
    if (Files.exists(path) && !Files.isRegularFile(path)) {
      return ConfigurationReader.Mistakes.unreadable(
          new Mistake(
              file,
              1,
              1,
              "it is no regular file, which may never end or be empty when it is read again",
              "start the proxy with -c and a file"));
    }
    return ConfigurationFile.readAgain(file, confined ? directory : null);
  }

  private static String nonZero(Map<? extends Enum<?>, Long> counts) {
    return counts.entrySet().stream()
        .filter(entry -> entry.getValue() != 0)
        .map(entry -> label(entry.getKey()) + "=" + entry.getValue())
        .collect(
            Collectors.collectingAndThen(
                Collectors.joining(" "), all -> all.isEmpty() ? "none" : all));
  }

  private static String label(Enum<?> name) {
    return name.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
