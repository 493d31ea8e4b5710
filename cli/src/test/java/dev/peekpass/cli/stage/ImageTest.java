package dev.peekpass.cli.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** With what the second program of a start is started. */
class ImageTest {
  @Test
  void whatIsForTheFirstProgramAloneIsTakenOutOnce() {
    String users = Image.FIRST_ONLY;
    List<String> first = List.of("java", Image.FIRST_ONLY, "-Xms8m", users, "-m", "x", "run");
    assertThat(Image.forSecond(first))
        .containsExactly(
            "java",
            "-XX:+ErrorFileToStderr",
            "-XX:-UsePerfData",
            "-Xms8m",
            users,
            "-m",
            "x",
            "run");
    assertThat(Image.forSecond(List.of("java", "-XX:+UsePerfData", "-XX:ErrorFile=x", "run")))
        .containsExactly("java", "-XX:+UsePerfData", "-XX:ErrorFile=x", "run");
  }

  /** Else the second program would compile little, too, and be slow. */
  @Test
  void theScriptGivesTheSameOption() throws IOException {
    assertThat(Files.readString(Path.of("../peekpass")))
        .contains("first=(" + Image.FIRST_ONLY + ")");
  }
}
