package dev.peekpass.proxy.systemd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Fd;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is read from the environment; that it is acted on, {@code it} tests. */
class EnvironmentTest {

  @Test
  void socketsAreForOneProcessAndBeginAtThree() {
    Map<String, String> two =
        Map.of("LISTEN_PID", "42", "LISTEN_FDS", "2", "LISTEN_FDNAMES", "web");
    assertThat(ActivationSockets.of(two, 42))
        .containsExactly(
            new ActivationSockets.Passed("web", Fd.of(3)),
            new ActivationSockets.Passed("unknown", Fd.of(4)));
    assertThat(ActivationSockets.of(two, 43)).isEmpty();
    assertThat(ActivationSockets.of(Map.of(), 42)).isEmpty();
    assertThat(ActivationSockets.of(Map.of("LISTEN_PID", "42", "LISTEN_FDS", "-1"), 42)).isEmpty();
    assertThat(ActivationSockets.of(Map.of("LISTEN_PID", "42", "LISTEN_FDS", "x"), 42)).isEmpty();
  }

  @Test
  void theWatchdogIsFedAtHalfItsTime() {
    assertThat(Watchdog.intervalMicros(Map.of("WATCHDOG_USEC", "3000000"), 42)).hasValue(1_500_000);
    assertThat(Watchdog.intervalMicros(Map.of("WATCHDOG_USEC", "9", "WATCHDOG_PID", "42"), 42))
        .hasValue(4);
    assertThat(Watchdog.intervalMicros(Map.of("WATCHDOG_USEC", "9", "WATCHDOG_PID", "7"), 42))
        .isEmpty();
    assertThat(Watchdog.intervalMicros(Map.of(), 42)).isEmpty();
    assertThat(Watchdog.intervalMicros(Map.of("WATCHDOG_USEC", "soon"), 42)).isEmpty();
  }
}
