package dev.peekpass.proxy.advice;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.ProcessCalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a user may not, on the real kernel: root asks as another user, on a thread that ends. */
final class UnreachableTest {
  private static final int DAEMON = 1;

  @TempDir private Path top;
  private Path closed = Path.of("/");

  @BeforeEach
  void prepare() throws IOException {
    top = top.toRealPath();
    mode(top, "rwxr-xr-x");
    closed = Files.createDirectory(top.resolve("closed"));
    Files.writeString(closed.resolve("p.yaml"), "x");
    mode(closed, root() ? "rwx------" : "---------");
  }

  @AfterEach
  void open() throws IOException {
    mode(closed, "rwx------");
  }

  private static boolean root() {
    return LinuxKernel.open().geteuid() == 0;
  }

  private static void mode(Path file, String mode) throws IOException {
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
  }

  private static <T> T asUser(Supplier<T> action) throws Exception {
    if (!root()) {
      return action.get();
    }
    // Found now: the other user may not be able to read the classes.
    var _ = Unreachable.reading(Path.of("/none"), "", Optional.empty(), "/");
    var _ = Unreachable.makingAdminSocket(Path.of("/none"), "x");
    FutureTask<T> task =
        new FutureTask<>(() -> {
          assertThat(ProcessCalls.setgroups(new int[] {DAEMON})).isZero();
          assertThat(ProcessCalls.setresgid(DAEMON)).isZero();
          assertThat(ProcessCalls.setresuid(DAEMON)).isZero();
          return action.get();
        });
    Thread.ofPlatform().start(task);
    return task.get();
  }

  private static Optional<Unreachable> read(Path file) throws Exception {
    return asUser(() -> Unreachable.reading(file, "the file", Optional.empty(), "/etc/peekpass"));
  }

  /** Neither the link nor its directory is closed: what it leads to is. */
  @Test
  void behindALinkTheDirectoryIsNamedThatIsClosed() throws Exception {
    Path link = Files.createSymbolicLink(top.resolve("l.yaml"), Path.of("closed/../closed/p.yaml"));
    Path links = Files.createSymbolicLink(top.resolve("ll.yaml"), link);
    for (Path file : new Path[] {closed.resolve("p.yaml"), link, links}) {
      Unreachable why = read(file).orElseThrow();
      assertThat(why.fault()).isEqualTo("cannot enter " + closed);
      assertThat(why.remedy())
          .startsWith("move " + closed + "/p.yaml to /etc/peekpass, or let the group ")
          .endsWith(" %s && chmod g+x %s)".formatted(closed, closed))
          .contains(root() ? "(chgrp daemon " : "(chgrp ");
    }
  }

  @Test
  void aFileBehindALinkWhoseModeForbidsIt() throws Exception {
    Path file = Files.writeString(top.resolve("p.yaml"), "x");
    Path link = Files.createSymbolicLink(top.resolve("l.yaml"), file);
    mode(file, root() ? "rw-------" : "---------");
    Unreachable why = read(link).orElseThrow();
    assertThat(why.fault()).isEqualTo("may not read the file");
    assertThat(why.remedy())
        .isEqualTo(
            root()
                ? "let the group daemon read it (chgrp daemon %s && chmod g+r %s)"
                    .formatted(link, link)
                : "let its owner read it (chmod u+r " + link + ")");
    mode(file, "rw-r--r--");
    assertThat(read(link)).isEmpty();
  }

  /** Links in a circle end, as the kernel's walk does. */
  @Test
  void aCircleOfLinksIsNoWay() throws Exception {
    Path link = Files.createSymbolicLink(top.resolve("l.yaml"), Path.of("l.yaml"));
    assertThat(read(link).orElseThrow().fault()).isEqualTo("may not read the file");
  }

  @Test
  void theAdminSocketsDirectoryIsMissingOrAnothers() throws Exception {
    Path none = top.resolve("none");
    Unreachable missing = asUser(() -> admin(none)).orElseThrow();
    assertThat(missing.fault())
        .isEqualTo("cannot make the admin socket, since there is no directory " + none);
    assertThat(missing.remedy())
        .isEqualTo("make it (install -d -o games -m 700 " + none + "), or leave admin out");
    Unreachable hidden = asUser(() -> admin(closed)).orElseThrow();
    assertThat(hidden.fault())
        .isEqualTo("cannot make the admin socket in " + closed + ", which it cannot enter");
    assertThat(hidden.remedy())
        .isEqualTo(
            "make a directory of its own for it (install -d -o games -m 700 /run/peekpass-games)"
                + " and write admin: unix:/run/peekpass-games/admin.sock, or leave admin out");
  }

  private static Optional<Unreachable> admin(Path directory) {
    return Unreachable.makingAdminSocket(directory, "games");
  }
}
