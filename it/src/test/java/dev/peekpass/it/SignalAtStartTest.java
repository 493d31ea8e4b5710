package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Signals at every moment of a start, of both its programs and of what is between them: none is
 * lost, and none ends the process but cleanly. Before its java begins, the shell that starts it
 * ends as any that a signal ends.
 */
@Tag("processes")
class SignalAtStartTest {
  private static final int MOMENTS = 10;
  private static final long SIGNALS = 1 << 0 | 1 << 14;

  @TempDir private Path dir;

  /** Starts it, and waits until it is the java that its signals wait for. */
  private Running begin(String confinement) throws IOException {
    Path config =
        Files.writeString(
            dir.resolve("peekpass.yaml"),
            Running.withAdmin(dir, LauncherTest.MINIMAL) + "confinement: " + confinement + "\n");
    Running proxy = Running.peekpass(dir, "proxy", "run", "-c", config.toString());
    Path command = Path.of("/proc/" + proxy.process.pid() + "/cmdline");
    String java = System.getProperty("java.home") + "/bin/java\0";
    proxy.awaitOutput("it is java", () -> Running.read(command).startsWith(java));
    String pid = String.valueOf(proxy.process.pid());
    assertThat(mask(pid, "SigBlk") & mask(pid, "SigIgn") & SIGNALS)
        .as("what the script holds")
        .isEqualTo(SIGNALS);
    return proxy;
  }

  /** Asked of what the script uses, and not of what it has done. */
  @BeforeEach
  void requireThatSignalsCanBeHeld() throws IOException {
    Assumptions.assumeTrue(
        Running.run(dir, "env", "--block-signal=TERM", "true").status() == 0,
        "SKIPPED: this env(1) cannot block signals");
    Assumptions.assumeTrue(
        (mask("self", "SigIgn") & SIGNALS) == 0,
        "SKIPPED: SIGHUP or SIGTERM is ignored here, as under nohup");
  }

  private static long mask(String pid, String field) {
    String status = Running.read(Path.of("/proc/" + pid + "/status"));
    return Long.parseUnsignedLong(
        status.replaceAll("(?s).*\n" + field + ":\\s*(\\p{XDigit}+).*", "$1"), 16);
  }

  private static boolean runs(Running proxy) {
    return proxy.errors().contains("running as process");
  }

  private long nanosOfAStart(String confinement) throws IOException {
    try (Running proxy = begin(confinement)) {
      long began = System.nanoTime();
      proxy.awaitOutput("it runs", () -> runs(proxy));
      long nanos = System.nanoTime() - began;
      assertThat(proxy.stop()).isZero();
      return nanos;
    }
  }

  private static void pause(long nanos) {
    long until = System.nanoTime() + nanos;
    while (until - System.nanoTime() > 0) {
      LockSupport.parkNanos(until - System.nanoTime());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"enforce", "off"})
  void aSigtermEndsItCleanlyWheneverItComes(String confinement) throws IOException {
    long whole = nanosOfAStart(confinement);
    for (int i = 0; i < MOMENTS; i++) {
      try (Running proxy = begin(confinement)) {
        pause(whole * i / MOMENTS);
        String when = "after %d µs of %d".formatted(whole * i / MOMENTS / 1000, whole / 1000);
        proxy.process.destroy();
        assertThat(proxy.await()).as(when + "\n" + proxy.errors()).isZero();
        assertThat(proxy.errors())
            .as(when)
            .containsAnyOf("stopping before it served", "stopped; connections by outcome")
            .doesNotContain("\tat ");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"enforce", "off"})
  void aSighupReloadsWheneverItComes(String confinement) throws Exception {
    long whole = nanosOfAStart(confinement);
    for (int i = 0; i < MOMENTS / 2; i++) {
      try (Running proxy = begin(confinement)) {
        pause(whole * i / (MOMENTS / 2));
        Process kill = new ProcessBuilder("kill", "-HUP", "" + proxy.process.pid()).start();
        assertThat(kill.waitFor(10, TimeUnit.SECONDS)).isTrue();
        proxy.awaitOutput("it runs", () -> runs(proxy));
        proxy.awaitOutput("it reloads", () -> proxy.errors().contains("reloaded"));
        assertThat(proxy.stop()).as(proxy.errors()).isZero();
      }
    }
  }

  /** As a sandbox's filter of system calls may: then handlers take them, as without an env(1). */
  @Test
  void whereSignalsCannotBeWaitedForHandlersTakeThem() throws IOException {
    Tool.require("python3");
    for (String confinement : List.of("off", "enforce")) {
      Path config =
          Files.writeString(
              dir.resolve("peekpass.yaml"),
              Running.withAdmin(dir, LauncherTest.MINIMAL) + "confinement: " + confinement + "\n");
      try (Running proxy =
          Running.start(
              dir,
              "proxy-" + confinement,
              List.of(
                  "python3",
                  Running.ROOT.resolve("it/src/test/resources/without-sigtimedwait.py").toString(),
                  Running.ROOT.resolve("peekpass").toString(),
                  "run",
                  "-c",
                  config.toString()))) {
        proxy.awaitOutput("it runs", () -> runs(proxy) || !proxy.process.isAlive());
        assertThat(proxy.errors())
            .contains("rt_sigtimedwait: ENOSYS")
            .contains("running as process");
        assertThat(proxy.stop()).as(proxy.errors()).isZero();
        assertThat(proxy.errors())
            .contains("stopped; connections by outcome")
            .doesNotContain("\tat ");
      }
    }
  }
}
