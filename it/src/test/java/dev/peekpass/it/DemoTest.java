package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The first thing that a newcomer runs. */
class DemoTest {
  private static final Pattern DIRECTORY = Pattern.compile("two sites in (\\S+)");

  @TempDir private Path dir;

  @Test
  void theTourShowsWhatItShould() throws IOException {
    try (Running demo = Running.peekpass(dir, "demo", "demo", "--once")) {
      assertThat(demo.await()).as(demo.output() + demo.errors()).isZero();
      assertThat(demo.output())
          .contains("a download that outlives the proxy")
          .contains("every step showed what it should")
          .doesNotContain("FAIL");
      assertThat(Files.exists(directory(demo))).as("its directory is left behind").isFalse();
    }
  }

  @Test
  void aSignalEndsAllOfIt() throws IOException {
    try (Running demo = Running.peekpass(dir, "demo", "demo")) {
      demo.awaitOutput("it says what to try", () -> demo.output().contains("^C ends"));
      List<ProcessHandle> children = demo.process.descendants().toList();
      assertThat(children).as("proxy and two backends").hasSize(3);
      demo.process.destroy();
      demo.await();

      Running.await(
          "its children have ended", () -> children.stream().noneMatch(ProcessHandle::isAlive));
      assertThat(Files.exists(directory(demo))).as("its directory is left behind").isFalse();
    }
  }

  @Test
  void killedHardItLeavesNoChildBehind() throws IOException {
    try (Running demo = Running.peekpass(dir, "demo", "demo")) {
      demo.awaitOutput("it says what to try", () -> demo.output().contains("^C ends"));
      List<ProcessHandle> children = demo.process.descendants().toList();
      demo.kill();

      Running.await(
          "its children have ended", () -> children.stream().noneMatch(ProcessHandle::isAlive));
      // Nobody was left to remove it.
      Running.run(dir, "rm", "-rf", directory(demo).toString());
    }
  }

  private static Path directory(Running demo) {
    Matcher matcher = DIRECTORY.matcher(demo.output());
    assertThat(matcher.find()).as(demo.output()).isTrue();
    return Path.of(matcher.group(1));
  }
}
