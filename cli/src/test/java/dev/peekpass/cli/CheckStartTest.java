package dev.peekpass.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code check} says what {@code run} would not start with. What root finds out as another user is
 * tried in ConfinedProxyTest of {@code it}.
 */
final class CheckStartTest {
  @TempDir private Path directory;

  private CommandRun check(String key) throws IOException {
    return check("off", key);
  }

  private CommandRun check(String receivers, String key) throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("peekpass.yaml"),
            """
            %s
            listeners: [ { bind: "*:443" } ]
            routes: [ { host: a, backend: web } ]
            backends: { web: { handoff: "unix:/run/web.sock" } }
            """
                .formatted(key));
    return CommandRun.of("check", "--receivers=" + receivers, "-c", file);
  }

  private void expectError(CommandRun run, String error) {
    assertThat(run.code()).isOne();
    assertThat(run.out()).isEmpty();
    assertThat(run.err().lines().filter(line -> !line.contains(": it serves as root: ")))
        .containsExactly(directory.resolve("peekpass.yaml") + ": " + error);
  }

  @Test
  void aUserThatIsNotThere() throws IOException {
    expectError(
        check("warn", "user: no-such-user"),
        "user: there is no user no-such-user: make it (useradd --system no-such-user), or write"
            + " another");
  }

  @Test
  void aGroupThatIsNotThere() throws IOException {
    expectError(
        check("warn", "user: root\ngroup: no-such-group"),
        "group: there is no group no-such-group: make it (groupadd --system no-such-group), or"
            + " write another");
  }

  /** As a machine sees another one's file. */
  @Test
  void aUserOrGroupThatIsNotThereIsAWarningWhereNobodyIsAsked() throws IOException {
    for (String key :
        List.of("user: no-such-user", "user: 3999999999", "user: root\ngroup: no-such-group")) {
      CommandRun run = check(key);
      assertThat(run.code()).as(run.err()).isZero();
      assertThat(run.out()).contains(": ok, 1 listener");
      assertThat(run.err()).startsWith("warning: ").contains("write ");
      assertThat(check("strict", key).code()).isOne();
    }
    assertThat(check("user: 4294967295\ngroup: 0").code()).isOne();
  }

  @Test
  void aGroupThatThisProcessCannotHaveIsAWarning() throws IOException {
    int uid = LinuxKernel.open().geteuid();
    Assumptions.assumeTrue(uid != 0, "SKIPPED: root can have any; IdentityTest tries the rest");
    CommandRun run = check("user: " + Integer.toUnsignedString(uid) + "\ngroup: 4294967294");
    assertThat(run.code()).isZero();
    assertThat(run.err()).contains("group: 4294967294: only root can set its groups");
  }

  @Test
  void anAdminDirectoryThatIsNotThere() throws IOException {
    int uid = LinuxKernel.open().geteuid();
    String user = uid == 0 ? "root" : String.valueOf(uid);
    expectError(
        check("admin: \"unix:%s/none/admin.sock\"".formatted(directory)),
        "admin socket unix:%s/none/admin.sock: there is no directory %s/none: make it (install -d -o %s -m 700 %s/none), or leave admin out"
            .formatted(directory, directory, user, directory));

    CommandRun run = check("admin: \"unix:/run/no-such-directory/admin.sock\"");
    assertThat(run.code()).isZero();
    assertThat(run.err())
        .contains("warning: ")
        .contains("there is no directory /run/no-such-directory: make it")
        .contains("unless the unit's RuntimeDirectory= does");
  }

  @Test
  void anAdminDirectoryThatMayNotBeWritten() throws IOException {
    Assumptions.assumeTrue(LinuxKernel.open().geteuid() != 0, "SKIPPED: root may write everywhere");
    Path closed = Files.createDirectory(directory.resolve("closed"));
    Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("r-xr-xr-x"));
    CommandRun run = check("admin: \"unix:%s/admin.sock\"".formatted(closed));
    assertThat(run.code()).isOne();
    assertThat(run.err()).contains("cannot make the admin socket in " + closed);
  }

  @Test
  void anAdminSocketDirectlyInTheRootDirectory() throws IOException {
    CommandRun run = check("admin: \"unix:/admin.sock\"");
    assertThat(run.code()).isOne();
    assertThat(run.err())
        .contains("a confined proxy's cannot be directly in /, where it could", ": write a path");
  }

  @Test
  void rootThatNamesNobodyIsWarnedAsByRun() throws IOException {
    Assumptions.assumeTrue(LinuxKernel.open().geteuid() == 0, "SKIPPED: only root is warned");
    CommandRun run = check("");
    assertThat(run.code()).isZero();
    assertThat(run.err())
        .startsWith(
            "warning: " + directory + "/peekpass.yaml: it serves as root: write user: NAME into");
    assertThat(check("user: root").err()).doesNotContain("it serves as root");
  }

  @Test
  void whoIsNotRootCannotFindOutWhatAnotherMay() throws IOException {
    Assumptions.assumeTrue(LinuxKernel.open().geteuid() != 0, "SKIPPED: root can");
    CommandRun run = check("user: root");
    assertThat(run.code()).isZero();
    assertThat(run.err()).contains("note: user: root: what that user may do cannot be found out");
  }
}
