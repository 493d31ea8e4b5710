package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class HandOffSocketTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  /** A path of exactly that many bytes, with a name of {@code nameBytes}. */
  private Path pathOf(int bytes, int nameBytes) throws IOException {
    int rest = bytes - dir.toString().length() - 2 - nameBytes;
    Path deep = dir.resolve("d".repeat(rest));
    Files.createDirectories(deep);
    Path path = deep.resolve("a".repeat(nameBytes));
    assertThat(path.toString()).hasSize(bytes);
    return path;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 10, 20})
  void theLongestPathCanBeBoundWhateverPartOfItIsTheName(int nameBytes) throws Exception {
    Path path = pathOf(SockAddr.UNIX_PATH_MAX_BYTES, nameBytes);
    try (Receiver receiver = Receiver.builder(path).type(SocketType.STREAM).open()) {
      assertThat(receiver.localPath()).exists();
      proxy.connect(path, SocketType.STREAM);
    }
    assertThat(path.getParent()).isEmptyDirectory();
  }

  @Test
  void aLongerPathIsRefusedWithBothLengths() throws Exception {
    Path path = pathOf(SockAddr.UNIX_PATH_MAX_BYTES + 1, 5);
    assertThatThrownBy(() -> Receiver.builder(path).open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("the path has 108 bytes")
        .hasMessageContaining("at most 107")
        .hasMessageContaining(path.toString());
  }

  @Test
  void aMissingDirectoryIsNamed() {
    assertThatThrownBy(() -> Receiver.builder(dir.resolve("missing/app.sock")).open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(dir.resolve("missing") + " is not a directory");
  }

  @Test
  void aPathThatNamesNoFileIsRefused() {
    assertThatThrownBy(() -> Receiver.builder(Path.of("/")).open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("not the path of a file");
  }

  @Test
  void aDirectoryThatMayNotBeWrittenIsNamed() {
    Kernel refusing = BrokenKernel.failing(proxy.kernel, "bind", Errno.EACCES);
    assertThatThrownBy(
            () -> Receiver.builder(dir.resolve("app.sock")).kernels(() -> refusing).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EACCES")
        .hasMessageContaining("may not create files in " + dir);
  }

  @ParameterizedTest
  @EnumSource(SocketType.class)
  void theFileHasTheModeAskedFor(SocketType type) throws Exception {
    Path path = dir.resolve("app.sock");
    for (String mode : List.of("rw-rw----", "rw-rw-rw-", "rw-------")) {
      try (Receiver receiver = Receiver.builder(path).type(type).mode(mode).open()) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
            .isEqualTo(mode);
        assertThat(receiver.isOpen()).isTrue();
      }
    }
  }

  @Test
  void theFileAppearsAtItsPathOnlyWhenAllIsRight() throws Exception {
    Path path = dir.resolve("app.sock");
    List<Path> early = new ArrayList<>();
    List<Set<PosixFilePermission>> modes = new ArrayList<>();
    Kernel watching =
        BrokenKernel.before(
            proxy.kernel,
            "listen",
            () -> {
              for (String name : dir.toFile().list()) {
                early.add(dir.resolve(name));
                try {
                  modes.add(Files.getPosixFilePermissions(dir.resolve(name)));
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              }
            });
    Receiver.builder(path).mode("rw-------").kernels(() -> watching).open().close();
    assertThat(early).hasSize(1).doesNotContain(path);
    assertThat(modes).containsExactly(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void anUnknownUserOrGroupIsNamed() {
    Path path = dir.resolve("app.sock");
    assertThatThrownBy(() -> Receiver.builder(path).owner("no-such-user").open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("owner(\"no-such-user\")");
    assertThatThrownBy(() -> Receiver.builder(path).group("no-such-group").open())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("group(\"no-such-group\")");
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void ownerAndGroupAreSet() throws Exception {
    boolean root = proxy.kernel.geteuid() == 0;
    Loud.assume(root, "the owner of a file can only be changed by root");
    Path path = dir.resolve("app.sock");
    try (Receiver receiver = Receiver.builder(path).owner("daemon").group("mail").open()) {
      assertThat(Files.getOwner(receiver.localPath()).getName()).isEqualTo("daemon");
      assertThat(Files.getAttribute(path, "posix:group")).hasToString("mail");
    }
  }
}
