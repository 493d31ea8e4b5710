package dev.peekpass.cli;

import dev.peekpass.cli.process.Signals;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.Inherited;
import dev.peekpass.proxy.TransferredSocket;
import dev.peekpass.proxy.Proxy;
import dev.peekpass.proxy.admin.AdminClient;
import dev.peekpass.proxy.admin.AdminPath;
import dev.peekpass.proxy.admin.AdminServer;
import dev.peekpass.proxy.admin.AdminSocket;
import dev.peekpass.proxy.admin.Operations;
import dev.peekpass.proxy.admin.Takeover;
import dev.peekpass.proxy.config.Configuration;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import dev.peekpass.proxy.systemd.ActivationSockets;
import dev.peekpass.proxy.systemd.Notifier;
import dev.peekpass.proxy.systemd.Watchdog;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
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

  private final Notifier notifier = new Notifier(LinuxKernel::open, System.getenv());

  /** For picocli, which sets the options. */
  RunCommand() {
    this("");
  }

  /** As {@code run -c FILE}. */
  RunCommand(String file) {
    this.file = file;
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
    Logging.level(level);
    return switch (ConfigurationFile.read(file, System.in)) {
      case ConfigurationReader.Valid(Configuration valid, List<Mistake> warnings) -> {
        warnings.forEach(warning -> System.err.println("warning: " + warning));
        yield start(valid);
      }
      case ConfigurationReader.Mistakes(List<Mistake> mistakes) -> {
        mistakes.forEach(System.err::println);
        yield 1;
      }
    };
  }

  private int start(Configuration configuration) throws InterruptedException {
    if (!takeover && !oldAdmin.isEmpty()) {
      throw new ParameterException(spec().commandLine(), "--admin is of use with --takeover only");
    }
    Kernel kernel = LinuxKernel.open();
    @Nullable Takeover old = null;
    @Nullable AdminSocket admin = null;
    try {
      String path = adminPath(configuration, kernel).orElse("");
      old = takeover ? beginTakeover(kernel, path) : null;
      admin = adminSocket(configuration, kernel, path, old);
      Proxy proxy =
          Proxy.start(configuration, LinuxKernel::open, Console.out().lines(), inherit(old));
      if (old != null) {
        end(old, proxy, admin);
      }
      Operations operations =
          new Operations(proxy, this::readAgain, notifier, file, Version.number());
      @Nullable AdminSocket answered = admin;
      admin = null;
      return serve(proxy, operations, answered);
    } catch (IOException e) {
      System.err.println("peekpass: " + e.getMessage());
      return 1;
    } finally {
      if (admin != null) {
        admin.close(kernel);
      }
      if (old != null) {
        old.close();
      }
    }
  }

  private CommandSpec spec() {
    return Objects.requireNonNull(spec, "set by picocli");
  }

  private static Optional<String> adminPath(Configuration configuration, Kernel kernel) {
    return configuration
        .adminPath()
        .or(() -> AdminPath.standard(kernel.geteuid(), System.getenv()));
  }

  /** Asks the running proxy for its sockets; null when none is running. */
  private @Nullable Takeover beginTakeover(Kernel kernel, String path) throws IOException {
    String from = oldAdmin.isEmpty() ? path : AdminOptions.parse(spec(), oldAdmin);
    if (from.isEmpty()) {
      throw new IOException(
          "--takeover: this user has no standard place for the admin socket: write admin: into the"
              + " configuration, or --admin unix:PATH");
    }
    try {
      return Takeover.begin(kernel, from);
    } catch (AdminClient.UnreachableException e) {
      if (!e.isNobodyThere()) {
        throw e;
      }
      LOG.warn("--takeover: no proxy answers at unix:{}: starting without one", from);
      return null;
    }
  }

  /**
   * The admin socket; null when the configuration names none and the standard place is not free.
   */
  private static @Nullable AdminSocket adminSocket(
      Configuration configuration, Kernel kernel, String path, @Nullable Takeover old)
      throws IOException {
    if (old != null) {
      Optional<AdminSocket> same = old.takeAdminSocket(path);
      if (same.isPresent()) {
        return same.get();
      }
    }
    boolean named = configuration.adminPath().isPresent();
    if (path.isEmpty()) {
      LOG.info("no admin socket: this user has no standard place for it; admin: names one");
      return null;
    }
    try {
      return AdminSocket.open(kernel, path, !named);
    } catch (IOException e) {
      if (named) {
        throw e;
      }
      LOG.warn("no admin socket: {}", e.getMessage());
      return null;
    }
  }

  /** What the running proxy and the service manager have passed. */
  private static Inherited inherit(@Nullable Takeover old) {
    List<TransferredSocket> sockets = new ArrayList<>();
    Inherited taken = old == null ? Inherited.NOTHING : old.takeSockets();
    sockets.addAll(taken.sockets());
    ActivationSockets.of(System.getenv(), ProcessHandle.current().pid())
        .forEach(passed -> {
          LOG.info("inherited {} from the service manager ({})", passed.fd(), passed.name());
          sockets.add(new TransferredSocket("", passed.fd()));
        });
    return new Inherited(sockets, taken.drained());
  }

  /** This process accepts: the old one may stop doing so. */
  private static void end(Takeover old, Proxy proxy, @Nullable AdminSocket admin) {
    try {
      old.ready(proxy.unwanted(), admin != null && admin.isInherited());
      LOG.info("took over");
    } catch (IOException e) {
      LOG.warn("the old proxy may go on accepting beside this one: {}", e.getMessage());
    }
    if (admin != null) {
      admin.ownFile();
    }
  }

  private int serve(Proxy proxy, Operations operations, @Nullable AdminSocket admin)
      throws IOException, InterruptedException {
    @Nullable AdminServer server =
        admin == null ? null : AdminServer.start(LinuxKernel::open, operations, admin);
    // Before it is said that it listens: whoever reads that may send a signal at once.
    Signals.onStop(() -> {
      notifier.stopping();
      LOG.info("stopping: no new connections; those already passed are not touched");
      proxy.stop();
    });
    Signals.onHangUp(operations::reload);
    proxy.addresses().forEach(address -> System.out.println("peekpass: listening on " + address));
    System.out.flush();
    LOG.info("running as process {}", ProcessHandle.current().pid());
    notifier.ready("Listening on " + String.join(", ", proxy.addresses()));
    Watchdog.start(System.getenv(), notifier, proxy::turns);
    boolean clean = proxy.await();
    if (server != null) {
      server.close();
    }
    LOG.info(
        "stopped; connections by outcome: {}; {}",
        nonZero(proxy.outcomes()),
        nonZero(proxy.counts()));
    return clean ? 0 : 1;
  }

  private ConfigurationReader.Result readAgain() {
    if (file.equals("-")) {
      return new ConfigurationReader.Mistakes(
          List.of(
              new Mistake(
                  "<stdin>",
                  1,
                  1,
                  "standard input cannot be read again",
                  "start the proxy with -c FILE")));
    }
    return ConfigurationFile.read(file, System.in);
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
