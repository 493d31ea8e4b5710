package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The first thing that a newcomer runs. */
@Tag("processes")
class DemoTest {
  private static final Pattern DIRECTORY = Pattern.compile("(?:two|three) sites in (\\S+)");

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

  @Test
  void withNginxTheTourGoesThereToo() throws IOException {
    NginxModule.require();
    try (Running demo = Running.peekpass(dir, "demo", "demo", "--nginx", "--once")) {
      assertThat(demo.await()).as(demo.output() + demo.errors()).isZero();
      assertThat(demo.output())
          .contains("ok    https to nginx.example.test: its page, from backend nginx, TLSv1.3")
          .contains("ok    http to nginx.example.test: its page, from backend nginx, no TLS")
          .contains("ok    the client's address over https, in nginx: client 127.0.0.2:")
          .contains("every step showed what it should")
          .doesNotContain("FAIL")
          .doesNotContain("has died");
      assertThat(Files.exists(directory(demo))).as("its directory is left behind").isFalse();
    }
  }

  @Test
  void killedHardItLeavesNoNginxBehind() throws IOException {
    NginxModule.require();
    try (Running demo = Running.peekpass(dir, "demo", "demo", "--nginx")) {
      demo.awaitOutput("it says what to try", () -> demo.output().contains("^C ends"));
      List<ProcessHandle> children = demo.process.descendants().toList();
      assertThat(children).anyMatch(child -> Nginx.title(child.pid()).startsWith("nginx: worker"));
      demo.kill();

      Running.await(
          "its children have ended", () -> children.stream().noneMatch(ProcessHandle::isAlive));
      // Nobody was left to remove it.
      Running.run(dir, "rm", "-rf", directory(demo).toString());
    }
  }

  @Test
  void withoutNginxItSaysWhatToInstall() throws IOException {
    NginxModule.require();
    Tool.require("unshare");
    String nginx = Tool.path("nginx").orElseThrow();
    // In a mount namespace of its own, where nginx is nothing that can be run.
    String script = "mount --bind /dev/null " + nginx + " && exec \"$0\" demo --nginx --once";
    try (Running demo =
        Running.start(
            dir,
            "demo",
            List.of("unshare", "-m", "sh", "-c", script, Running.ROOT.resolve("peekpass") + ""))) {
      int status = demo.await();
      Assumptions.assumeFalse(
          demo.errors().contains("unshare:") || demo.errors().contains("mount:"),
          () -> "SKIPPED: no mount namespace: " + demo.errors());

      assertThat(status).isOne();
      assertThat(demo.errors())
          .contains(
              "peekpass demo: --nginx: no nginx is installed: apt-get install nginx nginx-dev")
          .contains("make -C ");
    }
  }

  private static Path directory(Running demo) {
    Matcher matcher = DIRECTORY.matcher(demo.output());
    assertThat(matcher.find()).as(demo.output()).isTrue();
    return Path.of(matcher.group(1));
  }
}
