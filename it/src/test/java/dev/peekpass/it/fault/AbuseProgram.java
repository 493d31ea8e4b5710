package dev.peekpass.it.fault;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import dev.peekpass.it.Tool;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A running {@code abuse.c}, which ends by itself. It yields the processors to others. */
final class AbuseProgram implements AutoCloseable {
  /** When it hung up all that were open still, in microseconds of CLOCK_MONOTONIC. */
  static final String ENDED_AT = "ended-at";

  private static final Pattern COUNT = Pattern.compile("([a-z-]+) (\\d+)");

  private final Running program;

  private AbuseProgram(Running program) {
    this.program = program;
  }

  /** Begins at once. */
  static AbuseProgram start(Path dir, String name, int port, Attack attack, int round)
      throws IOException {
    List<String> command = new ArrayList<>(Deployment.NICE);
    command.addAll(
        List.of(
            build(dir).toString(),
            "-p",
            "" + port,
            "-m",
            attack.mode(),
            "-n",
            "" + attack.open(),
            "-a",
            "" + attack.addresses(),
            "-r",
            "" + attack.rate(),
            "-c",
            "" + attack.count(),
            "-t",
            "" + attack.millis() / 1000.0,
            "-j",
            "" + attack.processes(),
            "-H",
            AbuseSite.ABUSED_HOST));
    return new AbuseProgram(Running.start(dir, name + "-" + round, command));
  }

  private static Path build(Path dir) throws IOException {
    Tool.require("nice");
    return Tool.compile(dir, "abuse");
  }

  boolean isRunning() {
    return program.process.isAlive();
  }

  /** Waits for its end; returns what it counted, by name. */
  Map<String, Long> await() {
    assertThat(program.await()).as(program.errors()).isZero();
    Map<String, Long> counts = new TreeMap<>();
    Matcher matcher = COUNT.matcher(program.output());
    while (matcher.find()) {
      String name = matcher.group(1);
      counts.merge(
          name, Long.parseLong(matcher.group(2)), name.equals(ENDED_AT) ? Math::min : Long::sum);
    }
    return counts;
  }

  @Override
  public void close() {
    program.close();
  }
}
