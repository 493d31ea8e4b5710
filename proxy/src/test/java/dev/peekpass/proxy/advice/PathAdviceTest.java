package dev.peekpass.proxy.advice;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PathAdviceTest {
  /** Whoever does as he is told must not open it. */
  @ParameterizedTest
  @ValueSource(
      strings = {"/root", "/root/etc", "/home/alice", "/home/alice/peekpass", "/run/user/1000"})
  void whatIsOneUsersIsNeverOpened(String directory) {
    assertThat(PathAdvice.toEnter(Path.of(directory), "/etc/peekpass"))
        .isEqualTo("move that to /etc/peekpass or the like, and leave " + directory + " closed");
  }

  @Test
  void othersAreOpenedToAGroup() {
    assertThat(PathAdvice.isPrivate(Path.of("/home"))).isFalse();
    assertThat(PathAdvice.isPrivate(Path.of("/rootless"))).isFalse();
    assertThat(PathAdvice.toEnter(Path.of("/srv/x"), "/etc/peekpass"))
        .isEqualTo(
            "move that to /etc/peekpass or the like, or let a group of that user enter (chgrp G"
                + " /srv/x && chmod g+x /srv/x)");
  }
}
