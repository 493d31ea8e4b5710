package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Options of the JVM and of the environment that a confined start cannot do anything with. */
@Tag("processes")
class ConfinedOptionsTest {
  @TempDir private Path dir;

  @BeforeEach
  void requireLandlock() throws IOException {
    Path modules = Path.of("/sys/kernel/security/lsm");
    Assumptions.assumeTrue(
        !Files.isReadable(modules) || Files.readString(modules).contains("landlock"),
        "SKIPPED: this kernel has no Landlock, so that files are not confined");
  }

  private Running begin(String confinement, String... environment) throws IOException {
    Path config =
        Files.writeString(
            dir.resolve("peekpass.yaml"),
            Running.withAdmin(dir, LauncherTest.MINIMAL) + "confinement: " + confinement + "\n");
    List<String> command = new ArrayList<>(List.of("env"));
    command.addAll(List.of(environment));
    command.addAll(
        List.of(Running.ROOT.resolve("peekpass").toString(), "run", "-c", config.toString()));
    return Running.start(dir, "proxy", command);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "-Xlog:gc:file=%s/gc.log",
        "-XX:StartFlightRecording:filename=%s/a.jfr",
        "-Dcom.sun.management.jmxremote.port=0 -Dcom.sun.management.jmxremote.authenticate=false"
            + " -Dcom.sun.management.jmxremote.ssl=false",
        "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0"
      })
  void anOptionThatCannotWorkIsNamedWithItsRemedy(String pattern) throws IOException {
    String option = pattern.formatted(dir);
    try (Running proxy = begin("enforce", "PEEKPASS_NO_AOT=1", "PEEKPASS_JAVA_OPTS=" + option)) {
      assertThat(proxy.await()).as(proxy.errors()).isOne();
      assertThat(proxy.errors())
          .contains("peekpass: JVM option " + option.split(" ", 2)[0] + ": ")
          .contains("a confined proxy may")
          .contains("or write confinement: audit or off into the configuration")
          .doesNotContain("\tat ");
    }
  }

  @Test
  void withoutConfinementItWorks() throws IOException {
    Path log = dir.resolve("gc.log");
    try (Running proxy = begin("audit", "PEEKPASS_JAVA_OPTS=-Xlog:gc*:file=" + log)) {
      proxy.port(0);
      assertThat(proxy.stop()).isZero();
      assertThat(log).isNotEmptyFile();
    }
  }

  @Test
  void anOptionThatWouldBeForNothingIsToldOf() throws IOException {
    try (Running proxy = begin("enforce", "PEEKPASS_JAVA_OPTS=-XX:+HeapDumpOnOutOfMemoryError")) {
      proxy.port(0);
      assertThat(proxy.errors())
          .contains("WARN  JVM option -XX:+HeapDumpOnOutOfMemoryError: no heap will be dumped");
      assertThat(proxy.stop()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "0", "7", "999"})
  void aStageOfNobodysStartIsOneSentence(String number) throws IOException {
    try (Running proxy = begin("enforce", "PEEKPASS_STAGE=" + number)) {
      assertThat(proxy.await()).isOne();
      assertThat(proxy.output()).isEmpty();
      assertThat(proxy.errors())
          .isEqualTo(
              "peekpass: PEEKPASS_STAGE is for Peekpass's own use: take it out of the"
                  + " environment\n");
    }
  }
}
