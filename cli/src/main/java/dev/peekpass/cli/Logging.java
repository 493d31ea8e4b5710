package dev.peekpass.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import ch.qos.logback.core.spi.ContextAwareBase;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sets up the log: one line an event on standard error, through {@link Console}. When standard
 * error is not read fast enough events are dropped rather than that a loop waits.
 *
 * <p>Done in code and not from an XML file, which would cost start-up time.
 */
public final class Logging extends ContextAwareBase implements Configurator {

  /** For the service loader. */
  public Logging() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    PatternLayoutEncoder encoder = new PatternLayoutEncoder();
    encoder.setContext(context);
    encoder.setPattern("%d{\"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\", UTC} %-5level %msg%n%ex");
    encoder.start();
    ConsoleLog log = new ConsoleLog(encoder);
    log.setContext(context);
    log.start();
    ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.setLevel(Level.INFO);
    root.addAppender(log);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  /**
   * Sets how much is logged.
   *
   * @param level {@code error}, {@code warn}, {@code info}, {@code debug} or {@code trace}
   */
  static void level(LogLevel level) {
    if (LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)
        instanceof ch.qos.logback.classic.Logger root) {
      root.setLevel(Level.toLevel(level.name()));
    }
  }

  /** Gives events to the console, whose thread makes lines of them. */
  private static final class ConsoleLog extends UnsynchronizedAppenderBase<ILoggingEvent> {
    private final PatternLayoutEncoder encoder;

    ConsoleLog(PatternLayoutEncoder encoder) {
      this.encoder = encoder;
    }

    @Override
    protected void append(ILoggingEvent event) {
      try {
        // The message as it is now: its arguments may change.
        event.prepareForDeferredProcessing();
      } catch (RuntimeException | LinkageError e) {
        // Logging is no reason to fail for who logs.
        Console.err().drop();
        return;
      }
      boolean important = event.getLevel().isGreaterOrEqual(Level.WARN);
      Console.err().print(() -> encoder.encode(event), important);
    }
  }
}
