package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A configuration that comes out of a pipe which has a name, as shells and CI jobs write it. */
@Tag("processes")
class PipedConfigurationTest {
  private static final String WARNING = "it is no regular file: a reload cannot read it again";

  @TempDir private Path dir;

  private List<String> command(String what) throws IOException {
    Tool.require("bash");
    Path config =
        Files.writeString(
            dir.resolve("peekpass.yaml"),
            "user: \""
                + Running.run(dir, "id", "-u").output().strip()
                + "\"\nconfinement: enforce\n"
                + Running.withAdmin(dir, LauncherTest.MINIMAL));
    return List.of(
        "bash",
        "-c",
        "exec \"$0\" " + what,
        Running.ROOT.resolve("peekpass").toString(),
        config.toString());
  }

  @Test
  void aConfinedProxyServesAndSaysThatItCannotReload() throws Exception {
    try (Running proxy = Running.start(dir, "proxy", command("run -c <(cat \"$1\")"))) {
      proxy.awaitOutput("it runs", () -> proxy.errors().contains("running as process"));
      assertThat(proxy.errors()).contains("warning: /dev/fd/").contains(WARNING);
      Process kill = new ProcessBuilder("kill", "-HUP", "" + proxy.process.pid()).start();
      assertThat(kill.waitFor(10, TimeUnit.SECONDS)).isTrue();
      proxy.awaitOutput(
          "it says so", () -> proxy.errors().contains("it is no regular file, which"));
      assertThat(proxy.stop()).as(proxy.errors()).isZero();
    }
  }

  @Test
  void checkTakesIt() throws Exception {
    String[] command = command("check -c /dev/stdin < <(cat \"$1\")").toArray(new String[0]);
    Running.Done done = Running.run(dir, command);
    assertThat(done.status()).as(done.errors()).isZero();
    assertThat(done.output()).contains("/dev/stdin: ok");
    assertThat(done.errors()).doesNotContain("chgrp");
  }
}
