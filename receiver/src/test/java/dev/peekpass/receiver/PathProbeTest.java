package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PathProbeTest {
  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private Path path;

  @BeforeEach
  void choosePath() {
    path = dir.resolve("app.sock");
  }

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  private Fd bind(int type) {
    Fd fd = proxy.own(proxy.kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_CLOEXEC, 0));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(proxy.kernel.bind(fd, address)).isZero();
    return fd;
  }

  private void assertInUse(String what) {
    assertThatThrownBy(() -> Receiver.builder(path).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageStartingWith("bind unix:" + path + ": EADDRINUSE: ")
        .hasMessageContaining(what);
  }

  @ParameterizedTest
  @ValueSource(ints = {Linux.SOCK_STREAM, Linux.SOCK_DGRAM, Linux.SOCK_SEQPACKET})
  void aSocketThatNobodyHasIsReplaced(int type) throws Exception {
    proxy.close(bind(type));
    assertThat(path).exists();
    try (Receiver receiver = Receiver.builder(path).type(SocketType.STREAM).open()) {
      Accepted accepted = proxy.client();
      proxy.once(path, accepted);
      try (SocketChannel connection = receiver.accept()) {
        assertThat(connection.getRemoteAddress())
            .isEqualTo(accepted.client().getLocalSocketAddress());
      }
    }
    assertThat(dir).isEmptyDirectory();
  }

  @ParameterizedTest
  @ValueSource(ints = {Linux.SOCK_STREAM, Linux.SOCK_SEQPACKET})
  void whoListensIsNamed(int type) {
    assertThat(proxy.kernel.listen(bind(type), 8)).isZero();
    assertInUse("in use by pid " + ProcessHandle.current().pid() + " of uid ");
  }

  @Test
  void aSocketThatIsBoundAndDoesNotListenYetIsAlive() {
    bind(Linux.SOCK_STREAM);
    assertInUse("in use by another process");
  }

  @Test
  void aDatagramSocketIsAliveAndSeesNothing() {
    Fd there = bind(Linux.SOCK_DGRAM);
    assertInUse("another process receives datagrams there");
    assertThat(
            proxy.kernel.recv(
                there, new dev.peekpass.linux.NativeBuffer(1), 0, 1, Linux.MSG_DONTWAIT))
        .isEqualTo(-Errno.EAGAIN);
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void aReceiverThatIsProbedGoesOn(SocketType type) throws Exception {
    try (Receiver receiver = Receiver.builder(path).type(type).open()) {
      for (int i = 0; i < 20; i++) {
        assertInUse("");
      }
      Accepted accepted = proxy.client();
      proxy.pass(proxy.connect(path, type), accepted);
      try (SocketChannel connection = receiver.accept()) {
        assertThat(connection.getRemoteAddress())
            .isEqualTo(accepted.client().getLocalSocketAddress());
      }
      assertThat(receiver.statistics().accepted()).isOne();
    }
  }

  @Test
  void aFileIsLeftAlone() throws Exception {
    Files.writeString(path, "precious");
    assertInUse("not a socket");
    assertThat(path).hasContent("precious");
  }

  @Test
  void aDirectoryIsLeftAlone() throws Exception {
    Files.createDirectory(path);
    assertInUse("not a socket");
    assertThat(path).isDirectory();
  }

  @Test
  void aSymbolicLinkIsLeftAloneEvenWhenItLeadsToASocket() throws Exception {
    Path other = dir.resolve("other.sock");
    try (Receiver receiver = Receiver.builder(other).open()) {
      Files.createSymbolicLink(path, other);
      assertInUse("not a socket");
      assertThat(path).isSymbolicLink();
      assertThat(receiver.isOpen()).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"13, may not write to", "104, ECONNRESET"})
  void aSocketThatCannotBeProbedIsLeftAlone(int errno, String message) {
    proxy.close(bind(Linux.SOCK_STREAM));
    Kernel refusing = BrokenKernel.failing(proxy.kernel, "connect", errno);
    assertThatThrownBy(() -> Receiver.builder(path).kernels(() -> refusing).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining(message);
    assertThat(path).exists();
  }
}
