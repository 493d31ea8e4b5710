package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A {@link HeldStart}, with what a test does to it. Ended with the test. */
final class HeldProcess implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;
  private static final long POLL_NANOS = 2_000_000;

  private final Process process;
  private final Path output;
  private final Path errors;

  private HeldProcess(Process process, Path output, Path errors) {
    this.process = process;
    this.output = output;
    this.errors = errors;
  }

  /**
   * Starts one.
   *
   * @param step where it is held; null is nowhere
   */
  static HeldProcess start(
      Path dir,
      String name,
      Start.@Nullable Step step,
      boolean takeover,
      Duration old,
      Duration young)
      throws IOException {
    Path output = dir.resolve(name + ".out");
    Path errors = dir.resolve(name + ".err");
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("java.home") + "/bin/java");
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"));
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(HeldStart.class.getName());
    command.add(dir.resolve("peekpass.yaml").toString());
    command.add(step == null ? "-" : step.name());
    command.add(takeover ? "takeover" : "-");
    command.add(String.valueOf(old.toMillis()));
    command.add(String.valueOf(young.toMillis()));
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .start();
    return new HeldProcess(process, output, errors);
  }

  /** Waits until it is held. */
  void awaitHeld() {
    await("it is held", () -> output().contains("at "));
  }

  /** Waits until it serves. */
  void awaitRunning() {
    await("it runs", () -> errors().contains("running as process"));
  }

  /** Waits until something is so, failing at once if the process ends before. */
  void await(String what, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(process.isAlive() || condition.getAsBoolean())
          .as("waiting until %s, but it ended:%n%s%s", what, output(), errors())
          .isTrue();
      assertThat(System.nanoTime() - start)
          .as("waiting until %s:%n%s%s", what, output(), errors())
          .isLessThan(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Lets it go on where it is held. */
  void release() throws IOException {
    OutputStream in = process.getOutputStream();
    in.write('\n');
    in.flush();
  }

  /** Sends a signal, such as {@code STOP}. */
  void signal(String name) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-" + name, String.valueOf(pid())).start();
    assertThat(kill.waitFor()).isZero();
  }

  /** Its end; the exit code. */
  int awaitEnd() throws InterruptedException {
    assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS))
        .as("it ends:%n%s%s", output(), errors())
        .isTrue();
    return process.exitValue();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  long pid() {
    return process.pid();
  }

  /** The port that it says it listens on. */
  int port() {
    Pattern line = Pattern.compile("listening on .*:(\\d+)$", Pattern.MULTILINE);
    await("it listens", () -> line.matcher(output()).find());
    Matcher matcher = line.matcher(output());
    assertThat(matcher.find()).isTrue();
    return Integer.parseInt(matcher.group(1));
  }

  String output() {
    return read(output);
  }

  String errors() {
    return read(errors);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      awaitEnd();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
