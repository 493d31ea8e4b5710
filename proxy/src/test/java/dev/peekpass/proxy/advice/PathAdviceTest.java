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
    assertThat(PathAdvice.toEnter(Path.of(directory), "a.yaml", "/etc/peekpass"))
        .isEqualTo("move a.yaml to /etc/peekpass, and leave " + directory + " closed");
  }

  /** Whoever copies a command finds the group in it, and a shell takes the path as one word. */
  @Test
  void othersAreOpenedToAGroup() {
    assertThat(PathAdvice.isPrivate(Path.of("/home"))).isFalse();
    assertThat(PathAdvice.isPrivate(Path.of("/rootless"))).isFalse();
    String group = Self.group();
    assertThat(group).matches("[a-z_][-a-z0-9_.]*|[0-9]+");
    assertThat(PathAdvice.toEnter(Path.of("/srv/x y"), "/srv/x y/a.yaml", "/etc/peekpass"))
        .isEqualTo(
            "move /srv/x y/a.yaml to /etc/peekpass, or let the group %s enter (chgrp %s '/srv/x y' && chmod g+x '/srv/x y')"
                .formatted(group, group));
    assertThat(PathAdvice.toMake(Path.of("/run/it's"), "games"))
        .isEqualTo("make it (install -d -o games -m 700 '/run/it'\\''s')");
  }
}
