package dev.peekpass.cli.process;

import java.lang.reflect.Proxy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Signals, without the JVM's own way of handling them, which would end the process with status 143
 * (SIGTERM) or 130 (SIGINT) however well it had stopped.
 *
 * <p>There is no other API for this than sun.misc.Signal of the module jdk.unsupported. It is
 * called by reflection, since naming it makes the compiler warn in a way that nothing but that
 * silences.
 */
public final class Signals {
  /** 128 and the signal's number, as shells say it. */
  private static final int STATUS_INTERRUPTED = 130;

  private static final int STATUS_TERMINATED = 143;
  private static final int STATUS_FAULT = 1;

  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private Signals() {}

  /**
   * Calls {@code action} on the first SIGTERM or SIGINT, on a thread of its own. A later one ends
   * the process at once, with status 143 or 130; within 300 ms of the first only a second SIGINT
   * does, see {@link StopSignals}. When {@code action} throws, the log says so and the process ends
   * with status 1.
   */
  public static void onStop(Runnable action) {
    StopSignals signals = new StopSignals();
    handle("TERM", () -> stop(signals, false, action));
    handle("INT", () -> stop(signals, true, action));
  }

  private static void stop(StopSignals signals, boolean interrupt, Runnable action) {
    StopSignals.Request request = signals.received(interrupt, System.nanoTime());
    if (request == StopSignals.Request.END_AT_ONCE) {
      Runtime.getRuntime().halt(interrupt ? STATUS_INTERRUPTED : STATUS_TERMINATED);
    } else if (request == StopSignals.Request.STOP) {
      try {
        action.run();
      } catch (RuntimeException | Error e) {
        try {
          LOG.error("it cannot stop as it should, and ends at once", e);
        } finally {
          Runtime.getRuntime().exit(STATUS_FAULT);
        }
      }
    }
  }

  /**
   * Calls {@code action} at each SIGHUP, which would otherwise end the process. The log says what
   * it throws.
   */
  public static void onHangUp(Runnable action) {
    handle(
        "HUP",
        () -> {
          try {
            action.run();
          } catch (RuntimeException | Error e) {
            LOG.error("SIGHUP could not be handled", e);
          }
        });
  }

  /** Sends this process SIGTERM. */
  public static void stopThisProcess() {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      signal
          .getMethod("raise", signal)
          .invoke(null, signal.getConstructor(String.class).newInstance("TERM"));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this JVM cannot send SIGTERM to itself", e);
    }
  }

  private static void handle(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object calling =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (self, method, arguments) -> {
                action.run();
                return null;
              });
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), calling);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this JVM lets nobody handle SIG" + name, e);
    }
  }
}
