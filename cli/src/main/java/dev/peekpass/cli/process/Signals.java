package dev.peekpass.cli.process;

import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Signals, without the JVM's own way of handling them, which would end the process with status 143
 * (SIGTERM) or 130 (SIGINT) however well it had stopped.
 *
 * <p>There is no other API for this than sun.misc.Signal of the module jdk.unsupported. It is
 * called by reflection, since naming it makes the compiler warn in a way that nothing but that
 * silences.
 */
public final class Signals {
  private static final int STATUS_INTERRUPTED = 130;

  private Signals() {}

  /**
   * Calls {@code action} on the first SIGTERM or SIGINT, on a thread of its own. A second one ends
   * the process at once, with status 130.
   */
  public static void onStop(Runnable action) {
    AtomicBoolean called = new AtomicBoolean();
    Runnable once =
        () -> {
          if (called.getAndSet(true)) {
            Runtime.getRuntime().halt(STATUS_INTERRUPTED);
          }
          action.run();
        };
    handle("TERM", once);
    handle("INT", once);
  }

  /** Calls {@code action} at each SIGHUP, which would otherwise end the process. */
  public static void onHangUp(Runnable action) {
    handle("HUP", action);
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
