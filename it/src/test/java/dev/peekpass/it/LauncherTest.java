package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command as a user meets it. */
class LauncherTest {
  static final String MINIMAL =
      """
      listeners:
        - { bind: "127.0.0.1:0" }
      backends:
        web: { handoff: "unix:/nowhere/web.sock" }
      routes:
        - { host: a.example, backend: web }
      """;

  @TempDir private Path dir;

  private Running.Done peekpass(String... arguments) throws IOException {
    try (Running running = Running.peekpass(dir, "peekpass", arguments)) {
      int status = running.await();
      return new Running.Done(status, running.output(), running.errors());
    }
  }

  @Test
  void helpNamesEveryCommand() throws IOException {
    Running.Done done = peekpass("--help");

    assertThat(done.status()).isZero();
    assertThat(done.output())
        .contains(
            "run", "check", "explain", "peek", "serve", "demo", "status", "reload", "drain",
            "undrain")
        .contains("agent-jar", "aot-cache");
  }

  @Test
  void everyCommandHasHelp() throws IOException {
    for (String command :
        List.of(
            "run", "check", "explain", "peek", "serve", "demo", "status", "reload", "drain",
            "undrain")) {
      Running.Done done = peekpass(command, "--help");

      assertThat(done.status()).as(command).isZero();
      assertThat(done.output()).contains("Usage: peekpass " + command).contains("Exit codes:");
    }
  }

  @Test
  void wrongUsageIsStatusTwo() throws IOException {
    assertThat(peekpass("run").status()).isEqualTo(2);
    assertThat(peekpass("fly").status()).isEqualTo(2);
    assertThat(peekpass().status()).isEqualTo(2);
  }

  @Test
  void tellsWhereTheAgentIs() throws IOException {
    Running.Done done = peekpass("agent-jar");

    assertThat(done.status()).isZero();
    assertThat(done.output()).isEqualTo(AgentSite.AGENT.toRealPath() + "\n");
  }

  @Test
  void theJvmWarnsOfNothing() throws IOException {
    Running.Done done = peekpass("--version");

    assertThat(done.status()).isZero();
    assertThat(done.errors()).isEmpty();
    assertThat(done.output()).startsWith("peekpass 0.");
  }

  @Test
  void aBadConfigurationStartsNothing() throws IOException {
    Path config = Files.writeString(dir.resolve("bad.yaml"), MINIMAL + "fallback: nobody\n");
    Running.Done done = peekpass("run", "-c", config.toString());

    assertThat(done.status()).isOne();
    assertThat(done.output()).isEmpty();
    assertThat(done.errors()).contains(config + ":7:11: ");
  }

  @Test
  void aTakenPortIsNamedWithItsRemedy() throws IOException {
    try (ServerSocket taken = new ServerSocket(0)) {
      Path config =
          Files.writeString(
              dir.resolve("taken.yaml"),
              Running.withAdmin(dir, MINIMAL).replace(":0\"", ":" + taken.getLocalPort() + "\""));
      Running.Done done = peekpass("run", "-c", config.toString());

      assertThat(done.status()).isOne();
      assertThat(done.errors())
          .contains("bind 127.0.0.1:" + taken.getLocalPort() + ": EADDRINUSE: another process");
    }
  }

  @Test
  void aSignalStopsTheProxyCleanly() throws IOException {
    try (Running proxy = Running.proxy(dir, MINIMAL)) {
      assertThat(proxy.stop()).isZero();
      assertThat(proxy.errors()).contains("stopped; connections by outcome:");
    }
  }

  @Test
  void anOlderDefaultJavaIsPassedOver() throws IOException {
    // A java that says it is 17, alone on the PATH before everything else.
    Path old = Files.createDirectories(dir.resolve("old/bin"));
    Files.writeString(dir.resolve("old/release"), "JAVA_VERSION=\"17.0.1\"\n");
    Path java = Files.writeString(old.resolve("java"), "#!/bin/sh\nexit 99\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();
    String script = "PATH=" + old + ":$PATH JAVA_HOME=" + dir.resolve("old") + " exec \"$0\" -V";
    Running.Done done =
        Running.run(dir, "bash", "-c", script, Running.ROOT.resolve("peekpass").toString());

    assertThat(done.status()).as(done.errors()).isZero();
    assertThat(done.output()).startsWith("peekpass 0.");
  }

  @Test
  void withoutANewEnoughJdkItSaysWhatToDo() throws IOException {
    String find = Running.ROOT.resolve("scripts/find-jdk.sh").toString();
    // No machine has a JDK 9999, so every place is looked at and passed over.
    String script = ". \"$0\"; PEEKPASS_LEAST_JAVA=9999; find_jdk; echo status $?";
    Running.Done done = Running.run(dir, "bash", "-c", script, find);

    assertThat(done.output()).contains("status 1");
    assertThat(done.errors())
        .contains("no JDK 9999 or newer was found")
        .contains("PEEKPASS_JAVA_HOME=");
  }

  /** Which signals are ignored is not known then, and so none is held. */
  @Test
  void itStartsWithoutProc() throws IOException {
    Path jdk = dir.resolve("jdk");
    Files.createDirectories(jdk.resolve("bin"));
    Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"25\"\n");
    Path java = Files.writeString(jdk.resolve("bin/java"), "#!/bin/sh\necho began \"$@\"\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();
    // Nobody can run a test without /proc: the script looks for it elsewhere.
    String script =
        Files.readString(Running.ROOT.resolve("peekpass")).replace("/proc/", "/nonexistent/");
    Path copy = Files.writeString(dir.resolve("peekpass"), script);
    Files.createDirectories(dir.resolve("scripts"));
    Files.copy(Running.ROOT.resolve("scripts/find-jdk.sh"), dir.resolve("scripts/find-jdk.sh"));
    Files.createSymbolicLink(
        Files.createDirectories(dir.resolve("cli/target")).resolve("lib"),
        Running.ROOT.resolve("cli/target/lib").toAbsolutePath());
    Running.Done done =
        Running.run(
            dir,
            "env",
            "PEEKPASS_JAVA_HOME=" + jdk,
            "PEEKPASS_NO_AOT=1",
            "bash",
            copy.toString(),
            "run",
            "-c",
            "-");
    assertThat(done.status()).as(done.errors()).isZero();
    assertThat(done.output()).startsWith("began ").contains(" run -c -");
  }
}
