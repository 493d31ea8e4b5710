package dev.peekpass.cli.stage;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.stage.JvmOptions.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which options a confined JVM cannot do as they ask. */
class JvmOptionsTest {
  @TempDir private Path dir;

  private static List<Finding> find(String... options) {
    List<String> arguments = new java.util.ArrayList<>(List.of("java"));
    arguments.addAll(List.of(options));
    arguments.addAll(List.of("-m", "dev.peekpass.cli/dev.peekpass.cli.Main", "run", "-c", "x"));
    return JvmOptions.find(arguments, List.of("PATH=/bin", "X=-Xlog:gc:file=/x"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-Xlog:gc:file=/var/log/gc.log",
        "-Xlog:gc*=debug:gc-%p.txt:time,tags:filecount=5",
        "-Xlog::file=all.log",
        "-Xlog:gc:file=\"/a:b\"",
        "-Xloggc:/var/log/gc.log",
        "-XX:LogFile=/tmp/vm.log",
        "-XX:StartFlightRecording",
        "-XX:StartFlightRecording:filename=/tmp/a.jfr",
        "-XX:StartFlightRecording=duration=10s",
        "-XX:AOTCacheOutput=/tmp/a.aot",
        "-XX:ArchiveClassesAtExit=/tmp/a.jsa",
        "-Dcom.sun.management.jmxremote.port=9999",
        "-Dcom.sun.management.jmxremote",
        "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=0",
        "-Xrunjdwp:transport=dt_socket,server=y"
      })
  void whatCannotBeDoneEndsTheStart(String option) {
    List<Finding> found = find("-Xms8m", option, "-Xss512k");
    assertThat(found).hasSize(1);
    assertThat(found.getFirst().fatal()).isTrue();
    assertThat(found.getFirst().sentence())
        .startsWith("JVM option " + option + ": ")
        .contains(" a confined proxy may ")
        .endsWith(", or write confinement: audit or off into the configuration");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-XX:+HeapDumpOnOutOfMemoryError",
        "-XX:HeapDumpPath=/tmp/x",
        "-XX:ErrorFile=/tmp/hs_err",
        "-XX:OnOutOfMemoryError=reboot",
        "-javaagent:/opt/agent.jar=x",
        "-agentpath:/opt/libagent.so"
      })
  void whatWouldBeForNothingIsToldOf(String option) {
    List<Finding> found = find(option);
    assertThat(found).hasSize(1);
    assertThat(found.getFirst().fatal()).isFalse();
    assertThat(found.getFirst().sentence()).startsWith("JVM option " + option + ": ");
  }

  @Test
  void whatWritesNothingIsNotNamed() {
    assertThat(
            find(
                "-Xlog:aot*=off",
                "-Xlog:gc:stderr",
                "-Xlog:gc",
                "-Xlog:gc:stdout:time",
                "-Xlog:disable",
                "-Xlog:help",
                "-Xlog:async",
                "-Xlog:async:stall",
                "-Xlog:async:drop",
                "-Xlog:gc::time",
                "-XX:AOTCache=/tmp/a.aot",
                "-XX:+ErrorFileToStderr",
                "-Dcom.sun.management=x",
                "-p",
                "/opt/peekpass/lib"))
        .isEmpty();
  }

  @Test
  void whatIsInTheEnvironmentOrInAFileIsFound() throws IOException {
    Path file = Files.writeString(dir.resolve("options"), "-Xms8m\n-Xlog:gc:file=/x\n");
    assertThat(find("@" + file)).hasSize(1);
    assertThat(find("-XX:VMOptionsFile=" + file)).hasSize(1);
    assertThat(find("@" + dir.resolve("not-there"))).isEmpty();
    for (String variable : List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")) {
      assertThat(
              JvmOptions.find(
                  List.of("java", "-m", "x"),
                  List.of(variable + "=-Xms8m -XX:StartFlightRecording")))
          .hasSize(1);
    }
  }

  @Test
  void commentsAndQuotesOfAnArgumentFileAreAsTheLauncherReadsThem() throws IOException {
    Path file =
        Files.writeString(
            dir.resolve("options"),
            "# -Xlog:gc:file=/x\n-Xms8m # -Xloggc:/x\n\"-Dx=a -Xloggc:/y\" '-Xlog:gc:file=/a b'");
    List<Finding> found = find("@" + file);
    assertThat(found).hasSize(1);
    assertThat(found.getFirst().sentence()).startsWith("JVM option -Xlog:gc:file=/a b: ");
    assertThat(OptionWords.ofArgumentFile("\"a\\\\b\" c'd e'f")).containsExactly("a\\b", "cd ef");
  }

  @Test
  void onlyTheLauncherExpandsArgumentFiles() throws IOException {
    Path file = Files.writeString(dir.resolve("options"), "-Xlog:gc:file=/x");
    List<String> java = List.of("java", "-m", "x");
    assertThat(JvmOptions.find(java, List.of("JDK_JAVA_OPTIONS=@" + file))).hasSize(1);
    assertThat(JvmOptions.find(java, List.of("JAVA_TOOL_OPTIONS=@" + file))).isEmpty();
    assertThat(JvmOptions.find(java, List.of("JAVA_TOOL_OPTIONS=-Dx='a -Xloggc:/y'"))).isEmpty();
  }

  /** They are the program's own. */
  @Test
  void whatFollowsTheMainModuleIsNotTheJvms() {
    assertThat(JvmOptions.find(List.of("java", "-m", "x", "-Xlog:gc:file=/x"), List.of()))
        .isEmpty();
  }
}
