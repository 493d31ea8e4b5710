package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class PeekpassTest {
  @Test
  void helpNamesTheCommands() {
    CommandRun run = CommandRun.of("--help");
    assertThat(run.code()).isZero();
    assertThat(run.out()).contains("Usage: peekpass", "check", "explain");
    assertThat(run.err()).isEmpty();
  }

  @Test
  void versionIsTheBuilds() {
    CommandRun run = CommandRun.of("--version");
    assertThat(run.code()).isZero();
    assertThat(run.out()).matches("(?s)peekpass \\d+\\.\\d+\\.\\d+\\S*\\R\\s*java .*");
  }

  @Test
  void wrongArgumentsAreExitCode2() {
    assertThat(CommandRun.of().code()).isEqualTo(2);
    assertThat(CommandRun.of("no-such-command").code()).isEqualTo(2);
    assertThat(CommandRun.of("check").code()).isEqualTo(2);
    assertThat(CommandRun.of("check").err()).contains("--config");
  }
}
