package dev.peekpass.cli.demo;

import dev.peekpass.cli.process.Signals;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code peekpass demo}: the proxy and two backends, ready to try. */
@Command(
    name = "demo",
    description = {
      "Runs the proxy on loopback ports with two HTTPS and HTTP backends, each a process of its"
          + " own, with throw-away certificates, and prints what to try. ^C ends all of it.",
      "",
      "With --once it tries everything itself and ends."
    },
    mixinStandardHelpOptions = true,
    exitCodeListHeading = "Exit codes:%n",
    exitCodeList = {
      "0:every step showed what it should, or ended by a signal",
      "1:a step did not, a process did not start, or there is no nginx for --nginx",
      "2:wrong usage"
    })
public final class DemoCommand implements Callable<Integer> {
  private static final int MAX_PORT = 65_535;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Option(
      names = "--https-port",
      paramLabel = "PORT",
      defaultValue = "0",
      description = "Where to listen for https. Default: any free port.")
  private int httpsPort;

  @Option(
      names = "--http-port",
      paramLabel = "PORT",
      defaultValue = "0",
      description = "Where to listen for http. Default: any free port.")
  private int httpPort;

  @Option(
      names = "--nginx",
      description =
          "With a third backend: the nginx that is installed, with the module of this project.")
  private boolean nginx;

  @Option(names = "--once", description = "Try everything, say what each step showed, and end.")
  private boolean once;

  /** For picocli. */
  public DemoCommand() {}

  @Override
  public Integer call() throws InterruptedException {
    check("--https-port", httpsPort);
    check("--http-port", httpPort);
    CountDownLatch stopped = new CountDownLatch(1);
    try (Demo demo = Demo.create(nginx, this::print)) {
      Thread caller = Thread.currentThread();
      Signals.onStop(() -> {
        print("ending the demo …");
        stopped.countDown();
        // Whatever the tour or the start waits for.
        caller.interrupt();
      });
      return run(demo, stopped);
    } catch (IOException e) {
      spec.commandLine().getErr().println("peekpass demo: " + e.getMessage());
      return 1;
    }
  }

  private int run(Demo demo, CountDownLatch stopped) throws IOException {
    try {
      demo.start(httpsPort, httpPort);
      demo.processes().forEach(this::print);
      print("config   " + demo.configFile());
      Tour tour = demo.tour();
      if (once) {
        boolean good = tour.all();
        print(good ? "every step showed what it should" : "not every step showed what it should");
        return good ? 0 : 1;
      }
      tour.clientAddress();
      tryThis(demo);
      stopped.await();
      return 0;
    } catch (InterruptedException e) {
      // By the signal: the interrupt has done its work, and closing the demo must be able to wait.
      return once ? 1 : 0;
    }
  }

  private void tryThis(Demo demo) {
    String authority = demo.authorityFile().toString();
    print("Try:");
    for (String host : demo.hosts()) {
      print(
          "  curl --cacert %s --resolve %s:%d:127.0.0.1 https://%s:%d/.peekpass/whoami"
              .formatted(authority, host, demo.httpsPort(), host, demo.httpsPort()));
      print(
          "  curl --resolve %s:%d:127.0.0.1 http://%s:%d/"
              .formatted(host, demo.httpPort(), host, demo.httpPort()));
    }
    print("^C ends the proxy, the backends and the demo, and removes its directory.");
  }

  private void check(String option, int port) {
    if (port < 0 || port > MAX_PORT) {
      throw new ParameterException(
          spec.commandLine(), option + " must be 0 to " + MAX_PORT + ", is " + port);
    }
  }

  private synchronized void print(String line) {
    PrintWriter out = spec.commandLine().getOut();
    out.println(line);
    out.flush();
  }
}
