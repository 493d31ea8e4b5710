package dev.peekpass.proxy;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.ILoggerFactory;
import org.slf4j.IMarkerFactory;
import org.slf4j.Marker;
import org.slf4j.event.Level;
import org.slf4j.helpers.BasicMarkerFactory;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.helpers.MessageFormatter;
import org.slf4j.helpers.NOPMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import org.slf4j.spi.SLF4JServiceProvider;

/**
 * Logging in this module's tests: errors are kept for the thread that logged them, since the proxy
 * says so when it finds a fault in itself; all else is dropped, unless a test listens.
 */
public final class ErrorLog implements SLF4JServiceProvider {
  private static final ThreadLocal<List<String>> ERRORS = ThreadLocal.withInitial(ArrayList::new);

  private static volatile @Nullable Consumer<String> listener;

  private final IMarkerFactory markers = new BasicMarkerFactory();
  private final MDCAdapter mdc = new NOPMDCAdapter();

  /** Gives every line to a test, on the thread that logs it; null ends it. */
  public static void listen(@Nullable Consumer<String> to) {
    listener = to;
  }

  /** The errors that this thread has logged since it last asked. */
  static List<String> take() {
    List<String> errors = List.copyOf(ERRORS.get());
    ERRORS.get().clear();
    return errors;
  }

  private static final class ErrorLogger extends LegacyAbstractLogger {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isTraceEnabled() {
      return false;
    }

    @Override
    public boolean isDebugEnabled() {
      return false;
    }

    @Override
    public boolean isInfoEnabled() {
      return listener != null;
    }

    @Override
    public boolean isWarnEnabled() {
      return listener != null;
    }

    @Override
    public boolean isErrorEnabled() {
      return true;
    }

    @Override
    @SuppressWarnings("NullAway") // SLF4J declares it without saying that there may be none
    protected String getFullyQualifiedCallerName() {
      return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
        Level level,
        @Nullable Marker marker,
        String text,
        @Nullable Object @Nullable [] arguments,
        @Nullable Throwable thrown) {
      String message = MessageFormatter.basicArrayFormat(text, arguments);
      Consumer<String> to = listener;
      if (to != null) {
        to.accept(level + " " + message);
      }
      if (level == Level.ERROR) {
        ERRORS.get().add(thrown == null ? message : message + ": " + thrown);
      }
    }
  }

  @Override
  public ILoggerFactory getLoggerFactory() {
    return name -> new ErrorLogger();
  }

  @Override
  public IMarkerFactory getMarkerFactory() {
    return markers;
  }

  @Override
  public MDCAdapter getMDCAdapter() {
    return mdc;
  }

  @Override
  public String getRequestedApiVersion() {
    return "2.0.99";
  }

  @Override
  public void initialize() {
    // All is ready.
  }
}
