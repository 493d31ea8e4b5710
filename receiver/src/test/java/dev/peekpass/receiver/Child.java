package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A child process whose output is read; killed when closed. */
public final class Child implements AutoCloseable {
  private static final String JAVA =
      Path.of(System.getProperty("java.home"), "bin/java").toString();

  private final Process process;
  private final BufferedReader out;

  public Child(String... command) throws IOException {
    this(List.of(command));
  }

  public Child(List<String> command) throws IOException {
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    out =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
  }

  /** The words that start java with this test's class path; flags and a main class follow. */
  public static List<String> java(String... more) {
    List<String> command =
        new ArrayList<>(
            List.of(
                JAVA,
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                System.getProperty("java.class.path")));
    command.addAll(List.of(more));
    return command;
  }

  /** Writes a line to its standard input. */
  void say(String line) throws IOException {
    process.getOutputStream().write((line + '\n').getBytes(StandardCharsets.UTF_8));
    process.getOutputStream().flush();
  }

  /** Ends its standard input. */
  void endInput() throws IOException {
    process.getOutputStream().close();
  }

  /** The next line, or null at the end. */
  public @Nullable String line() throws IOException {
    return out.readLine();
  }

  /** Reads on until a line with this text. */
  public String lineWith(String text) throws IOException {
    StringBuilder before = new StringBuilder();
    for (String line = line(); line != null; line = line()) {
      if (line.contains(text)) {
        return line;
      }
      before.append(line).append('\n');
    }
    throw new AssertionError("no line with \"" + text + "\" in:\n" + before);
  }

  /** All that it prints until it ends. */
  public String output() throws IOException {
    return String.join("\n", out.readAllLines());
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  public long pid() {
    return process.pid();
  }

  public void requireSuccess() throws Exception {
    String output = output();
    assertThat(process.waitFor()).as(output).isZero();
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    out.close();
  }
}
