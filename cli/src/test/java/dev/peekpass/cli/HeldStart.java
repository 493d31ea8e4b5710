package dev.peekpass.cli;

import ch.qos.logback.classic.LoggerContext;
import dev.peekpass.proxy.admin.TakeoverTimes;
import java.io.IOException;
import java.time.Duration;
import org.slf4j.LoggerFactory;

/**
 * {@code peekpass run -c FILE} in a process of its own that a test holds at a step of its start: it
 * prints {@code at STEP} and waits for a byte on standard input.
 */
final class HeldStart {
  private HeldStart() {}

  /**
   * Runs.
   *
   * @param arguments the configuration's file, the step or {@code -}, {@code takeover} or {@code
   *     -}, the old and the new process's patience in milliseconds
   */
  public static void main(String[] arguments) {
    logAsShipped();
    TakeoverTimes times =
        new TakeoverTimes(
            Duration.ofMillis(Long.parseLong(arguments[3])),
            Duration.ofMillis(Long.parseLong(arguments[4])));
    RunCommand command =
        new RunCommand(
            arguments[0],
            arguments[2].equals("takeover"),
            times,
            step -> {
              if (step.name().equals(arguments[1])) {
                hold(step);
              }
            });
    System.exit(command.execute());
  }

  /** Off the module path nobody finds {@link Logging} as a service. */
  private static void logAsShipped() {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    context.reset();
    Logging logging = new Logging();
    logging.setContext(context);
    var _ = logging.configure(context);
  }

  private static void hold(Start.Step step) {
    System.out.println("at " + step);
    System.out.flush();
    try {
      if (System.in.read() < 0) {
        throw new IOException("the test has gone");
      }
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
