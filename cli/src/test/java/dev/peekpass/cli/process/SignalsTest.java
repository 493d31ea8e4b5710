package dev.peekpass.cli.process;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class SignalsTest {

  /** A program that cannot stop. */
  static final class Stuck {
    private Stuck() {}

    public static void main(String[] arguments) {
      Signals.onHangUp(() -> {});
      Signals.onStop(() -> {
        throw new NoClassDefFoundError("it was on the disk when this began");
      });
      Signals.stopThisProcess();
      while (true) {
        LockSupport.park();
      }
    }
  }

  @Test
  void whatAStopThrowsIsSaidAndEndsTheProcess() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Stuck.class.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);

    assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    assertThat(output)
        .contains("it cannot stop as it should", "NoClassDefFoundError: it was on the disk");
    assertThat(process.exitValue()).isOne();
  }
}
