package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/** A process that a test has started, with what it prints. Ended with the test. */
public final class Running implements AutoCloseable {
  public static final Path ROOT = Path.of(System.getProperty("peekpass.root", ".."));

  private static final long PATIENCE_SECONDS = 90;
  private static final long POLL_NANOS = 2_000_000;

  public final Process process;
  private final Path output;
  private final Path errors;

  private Running(Process process, Path output, Path errors) {
    this.process = process;
    this.output = output;
    this.errors = errors;
  }

  /** Starts a command; its output goes to files in {@code dir}. */
  public static Running start(Path dir, String name, List<String> command) throws IOException {
    Path output = dir.resolve(name + ".out");
    Path errors = dir.resolve(name + ".err");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .redirectInput(ProcessBuilder.Redirect.from(new java.io.File("/dev/null")));
    builder.environment().put("PEEKPASS_NO_BUILD", "1");
    builder.environment().put("PEEKPASS_JAVA_HOME", System.getProperty("java.home"));
    return new Running(builder.start(), output, errors);
  }

  /** Starts {@code ./peekpass} with arguments. */
  public static Running peekpass(Path dir, String name, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(ROOT.resolve("peekpass").toString());
    command.addAll(List.of(arguments));
    return start(dir, name, command);
  }

  /** Starts the proxy and waits until it listens. */
  public static Running proxy(Path dir, String yaml) throws IOException {
    Path config = Files.writeString(dir.resolve("peekpass.yaml"), withAdmin(dir, yaml));
    Running proxy = peekpass(dir, "proxy", "run", "-c", config.toString());
    proxy.port(0);
    return proxy;
  }

  /** Puts the admin socket into the test's directory: the standard place is every proxy's. */
  public static String withAdmin(Path dir, String yaml) {
    return (yaml.endsWith("\n") ? yaml : yaml + "\n")
        + "admin: \"unix:"
        + dir.resolve("admin.sock")
        + "\"\n";
  }

  /** Runs a command to its end. */
  public static Done run(Path dir, String... command) throws IOException {
    try (Running running = start(dir, "command-" + System.nanoTime(), List.of(command))) {
      int status = running.await();
      return new Done(status, running.output(), running.errors());
    }
  }

  /** What a command came to. */
  public record Done(int status, String output, String errors) {}

  /** The port of the n-th address that a proxy says it listens on. */
  public int port(int index) {
    Pattern line = Pattern.compile("^peekpass: listening on .*:(\\d+)$", Pattern.MULTILINE);
    awaitOutput("it listens", () -> line.matcher(output()).results().count() > index);
    Matcher matcher = line.matcher(output());
    for (int i = 0; i <= index; i++) {
      assertThat(matcher.find()).isTrue();
    }
    return Integer.parseInt(matcher.group(1));
  }

  /** Waits until something is so, failing at once if the process ends before. */
  public void awaitOutput(String what, BooleanSupplier condition) {
    await(
        what + "; it printed:\n" + output() + errors(),
        () -> {
          boolean alive = process.isAlive();
          boolean met = condition.getAsBoolean();
          assertThat(met || alive)
              .as("waiting until %s, but it ended:\n%s%s", what, output(), errors())
              .isTrue();
          return met;
        });
  }

  /** Waits until something is so. */
  public static void await(String what, BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - start)
          .as("waiting until %s", what)
          .isLessThan(TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS));
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  public String output() {
    return read(output);
  }

  public String errors() {
    return read(errors);
  }

  /** What stands in a file, be it whole or still being written; any bytes. */
  public static String read(Path file) {
    try {
      return Files.readString(file, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Waits for its end. */
  public int await() {
    try {
      assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS))
          .as("ends; it printed:\n%s%s", output(), errors())
          .isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    return process.exitValue();
  }

  /** Sends SIGHUP; skips the test where that is ignored, as by what nohup(1) has started. */
  void hangUp() throws IOException {
    Path status = Path.of("/proc/" + process.pid() + "/status");
    String ignored = Files.readString(status).replaceAll("(?s).*SigIgn:\\s*(\\p{XDigit}+).*", "$1");
    Assumptions.assumeTrue(
        (Long.parseUnsignedLong(ignored, 16) & 1) == 0,
        "SKIPPED: SIGHUP is ignored here, as it is under nohup");
    Path dir = Objects.requireNonNull(output.getParent());
    assertThat(run(dir, "kill", "-HUP", String.valueOf(process.pid())).status()).isZero();
  }

  /** SIGTERM, then waits for its end. */
  public int stop() {
    process.destroy();
    return await();
  }

  /** SIGKILL, then waits for its end. */
  public void kill() {
    process.destroyForcibly();
    await();
  }

  /** How many descriptors it holds that are sockets. */
  public long sockets() {
    try (var descriptors = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
      return descriptors.filter(Running::isSocket).count();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean isSocket(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString().startsWith("socket:");
    } catch (IOException e) {
      // It was closed since the directory was listed.
      return false;
    }
  }

  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
    await();
  }
}
