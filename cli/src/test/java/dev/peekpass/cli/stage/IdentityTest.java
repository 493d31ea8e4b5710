package dev.peekpass.cli.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.proxy.config.ConfinementMode;
import dev.peekpass.proxy.config.Privileges;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who is meant, and what is said to whom the kernel does not let become that. */
final class IdentityTest {
  @TempDir private Path directory;

  private static Privileges privileges(String user, String group) {
    return new Privileges(Optional.of(user), Optional.of(group), ConfinementMode.ENFORCE);
  }

  /** As OpenShift gives them out, and as far as the kernel has any. */
  @ParameterizedTest
  @ValueSource(strings = {"1000680000", "2147483648", "4294967294", "0000000000000012345"})
  void everyNumberOfAUserOrGroup(String number) throws IOException {
    Identity identity = Identity.of(privileges(number, number), 0);
    int expected = (int) Long.parseLong(number);
    assertThat(identity.uid()).isEqualTo(expected);
    assertThat(identity.gid()).isEqualTo(expected);
    assertThat(identity.groupArray()).containsExactly(expected);
    assertThat(identity.changes()).isTrue();
    assertThat(Identity.nameOf(expected)).isEqualTo(number.replaceFirst("^0+", ""));
  }

  @ParameterizedTest
  @ValueSource(strings = {"4294967295", "4294967296", "99999999999999999999"})
  void noNumberThatThereIsNot(String number) {
    assertThatThrownBy(() -> Identity.of(privileges(number, "0"), 0))
        .isExactlyInstanceOf(IOException.class)
        .hasMessage(
            "user: %s: such a number is 4294967294 at most: write a smaller one".formatted(number));
    assertThatThrownBy(() -> Identity.of(privileges("0", number), 0))
        .isExactlyInstanceOf(IOException.class)
        .hasMessageStartingWith("group: " + number + ": such a number is 4294967294 at most");
  }

  @Test
  void aGroupThatOnlyRootCouldHaveIsIgnoredAloud() throws IOException {
    Privileges wanted = privileges("1", "60");
    List<String> others = List.of("Gid:\t1\t1\t1\t1", "Groups:\t1 2 4 ");
    assertThat(Identity.ignoredGroup(wanted, 1, others).orElseThrow())
        .startsWith("group: 60: only root can set its groups, so this proxy keeps those");
    assertThat(Identity.ignoredGroup(wanted, 0, others)).isEmpty();

    List<String> more = List.of("Gid:\t60\t60\t60\t60", "Groups:\t60 4 ");
    assertThat(Identity.ignoredGroup(wanted, 1, more)).isPresent();
    for (String groups : List.of("Groups:\t60 ", "Groups:\t ")) {
      List<String> same = List.of("Gid:\t60\t60\t60\t60", groups);
      assertThat(Identity.ignoredGroup(wanted, 1, same)).isEmpty();
    }
  }

  @Test
  void aUserNamespaceThatLetsNobodySetGroupsIsNamedFirst() throws IOException {
    Path deny = Files.writeString(directory.resolve("deny"), "deny\n");
    Path allow = Files.writeString(directory.resolve("allow"), "allow\n");
    assertThat(Remedies.ofGivingUp(Errno.EPERM, true, deny))
        .startsWith("nobody may set groups in this user namespace")
        .contains("leave user and group out");
    assertThat(Remedies.ofGivingUp(Errno.EPERM, true, allow)).startsWith("root lacks CAP_SETUID");
    assertThat(Remedies.ofGivingUp(Errno.EPERM, true, directory.resolve("none")))
        .startsWith("root lacks CAP_SETUID");
    assertThat(Remedies.ofGivingUp(Errno.EINVAL, true)).contains("leave user out");
  }
}
