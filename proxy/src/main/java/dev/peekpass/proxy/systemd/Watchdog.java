package dev.peekpass.proxy.systemd;

import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the service manager's watchdog at rest for as long as the service works
 * (sd_watchdog_enabled(3)): at half the time it gives, the loops are asked to turn, and only when
 * all of them have is it told.
 */
public final class Watchdog {
  private static final Logger LOG = LoggerFactory.getLogger(Watchdog.class);

  private Watchdog() {}

  /**
   * Begins, if the environment asks for it.
   *
   * @param environment looked at for WATCHDOG_USEC and WATCHDOG_PID
   * @param alive waits until the service is seen to work; false when it does not
   */
  public static void start(
      Map<String, String> environment, Notifier notifier, BooleanSupplier alive) {
    OptionalLong micros = intervalMicros(environment, ProcessHandle.current().pid());
    if (micros.isEmpty()) {
      return;
    }
    ScheduledExecutorService timer =
        Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().name("watchdog").daemon().unstarted(task));
    Runnable round =
        () -> {
          if (alive.getAsBoolean()) {
            notifier.watchdog();
          } else {
            LOG.error("watchdog: a loop does not turn");
          }
        };
    var _ = timer.scheduleAtFixedRate(round, 0, micros.getAsLong(), TimeUnit.MICROSECONDS);
  }

  /** Half the time after which the service manager acts; empty when it does not watch. */
  static OptionalLong intervalMicros(Map<String, String> environment, long pid) {
    String watched = environment.getOrDefault("WATCHDOG_PID", "");
    if (!watched.isEmpty() && !watched.equals(String.valueOf(pid))) {
      return OptionalLong.empty();
    }
    try {
      long micros = Long.parseLong(environment.getOrDefault("WATCHDOG_USEC", "0"));
      return micros < 2 ? OptionalLong.empty() : OptionalLong.of(micros / 2);
    } catch (NumberFormatException e) {
      LOG.warn("WATCHDOG_USEC={} is not a number", environment.get("WATCHDOG_USEC"));
      return OptionalLong.empty();
    }
  }
}
