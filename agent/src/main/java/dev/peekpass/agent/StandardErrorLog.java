package dev.peekpass.agent;

import java.text.MessageFormat;
import java.util.ResourceBundle;
import org.jspecify.annotations.Nullable;

/**
 * Logs to standard error. Not to the server's logging, which must not be loaded before the server
 * has set it up, and which may be waiting for what is said here.
 */
final class StandardErrorLog implements System.Logger {
  private static final String PREFIX = "peekpass-agent: ";

  @Override
  public String getName() {
    return "peekpass-agent";
  }

  @Override
  public boolean isLoggable(Level level) {
    return level.compareTo(Level.INFO) >= 0 && level != Level.OFF;
  }

  @Override
  public void log(
      Level level,
      @Nullable ResourceBundle bundle,
      @Nullable String message,
      @Nullable Throwable thrown) {
    if (isLoggable(level)) {
      // One call, so that lines of several threads do not mix.
      System.err.println(PREFIX + message + (thrown == null ? "" : ": " + thrown));
    }
  }

  @Override
  public void log(
      Level level,
      @Nullable ResourceBundle bundle,
      @Nullable String format,
      @Nullable Object @Nullable ... parameters) {
    if (isLoggable(level)) {
      boolean plain = format == null || parameters == null || parameters.length == 0;
      System.err.println(PREFIX + (plain ? format : MessageFormat.format(format, parameters)));
    }
  }
}
