package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Receivers that start at the same moment on one path: one has it, and the others are told so. */
class StartTogetherTest {
  private static final int ROUNDS = 150;

  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void endAll() throws IOException {
    threads.shutdownNow();
    proxy.close();
  }

  private void leaveDeadFile(Path path) {
    Fd fd = proxy.own(proxy.kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM, 0));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(proxy.kernel.bind(fd, address)).isZero();
    proxy.close(fd);
  }

  /** One that has the path, and null for each that was told who has. */
  private List<Receiver> startTogether(Path path, int count, Supplier<Kernel> kernels)
      throws Exception {
    CyclicBarrier start = new CyclicBarrier(count);
    List<Future<@Nullable Receiver>> starting = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      starting.add(
          threads.submit(() -> {
            start.await();
            try {
              return Receiver.builder(path).type(SocketType.STREAM).kernels(kernels).open();
            } catch (SystemCallException e) {
              assertThat(e.errno()).as(e.getMessage()).isEqualTo(Errno.EADDRINUSE);
              assertThat(e).hasMessageStartingWith("bind unix:" + path + ": EADDRINUSE: ");
              return null;
            }
          }));
    }
    List<Receiver> open = new ArrayList<>();
    for (Future<@Nullable Receiver> each : starting) {
      @Nullable Receiver receiver = each.get();
      if (receiver != null) {
        open.add(receiver);
      }
    }
    return open;
  }

  private void assertReachable(Receiver receiver, Path path) throws Exception {
    Accepted accepted = proxy.client();
    proxy.once(path, accepted);
    try (SocketChannel connection = receiver.accept()) {
      assertThat(connection.getRemoteAddress())
          .isEqualTo(accepted.client().getLocalSocketAddress());
    }
  }

  @ParameterizedTest
  @CsvSource({"2, false", "2, true", "8, false", "8, true"})
  void exactlyOneHasThePath(int count, boolean overDeadFile) throws Exception {
    for (int round = 0; round < ROUNDS; round++) {
      Path path = dir.resolve("app.sock");
      if (overDeadFile) {
        leaveDeadFile(path);
      }
      List<Receiver> open = startTogether(path, count, LinuxKernel::open);
      assertThat(open).as("have it, round " + round).hasSize(1);
      assertReachable(open.getFirst(), path);
      open.getFirst().close();
      assertThat(dir).as("left behind, round " + round).isEmptyDirectory();
    }
  }

  /** A kernel or file system without renameat2(2) or one of its flags, or a seccomp(2) filter. */
  @ParameterizedTest
  @CsvSource({"2, 22", "8, 22", "2, 38", "8, 38", "2, 1"})
  void exactlyOneHasThePathWithoutRenameat2(int count, int errno) throws Exception {
    Supplier<Kernel> old = () -> BrokenKernel.failing(LinuxKernel.open(), "renameat2", errno);
    for (int round = 0; round < ROUNDS; round++) {
      Path path = dir.resolve("app.sock");
      List<Receiver> open = startTogether(path, count, old);
      assertThat(open).as("have it, round " + round).hasSize(1);
      assertReachable(open.getFirst(), path);
      open.getFirst().close();
      assertThat(dir).isEmptyDirectory();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {Errno.EINVAL, Errno.EPERM})
  void aDeadFileIsReplacedWithoutRenameat2(int errno) throws Exception {
    Path path = dir.resolve("app.sock");
    leaveDeadFile(path);
    Kernel old = BrokenKernel.failing(LinuxKernel.open(), "renameat2", errno);
    try (Receiver receiver =
        Receiver.builder(path).type(SocketType.STREAM).kernels(() -> old).open()) {
      assertReachable(receiver, path);
    }
    assertThat(dir).isEmptyDirectory();
  }

  /** As where the file alone is mounted into a container. */
  @Test
  void whereTheFileIsAMountTheRemedyIsToMountItsDirectory() {
    Kernel mounted = BrokenKernel.failing(LinuxKernel.open(), "renameat2", Errno.EBUSY);
    assertThatThrownBy(
            () -> Receiver.builder(dir.resolve("app.sock")).kernels(() -> mounted).open())
        .hasMessageContaining("EBUSY: ")
        .hasMessageContaining("mount its directory");
    assertThat(dir).isEmptyDirectory();
  }

  @FunctionalInterface
  private interface Action {
    void run() throws IOException;
  }

  private static Kernel beforeExchange(Action action) {
    AtomicBoolean done = new AtomicBoolean();
    return BrokenKernel.answering(
        LinuxKernel.open(),
        "renameat2",
        (arguments, real) -> {
          if (arguments[2].equals(Linux.RENAME_EXCHANGE) && !done.getAndSet(true)) {
            action.run();
          }
          return real.call();
        });
  }

  /** Whoever came between the look at the dead file and the exchange gets its place back. */
  @Test
  void whatCameSinceTheLookIsPutBack() throws Exception {
    Path path = dir.resolve("app.sock");
    leaveDeadFile(path);
    List<Receiver> between = new ArrayList<>();
    Kernel late =
        beforeExchange(() -> {
          Files.delete(path);
          between.add(Receiver.builder(path).type(SocketType.STREAM).open());
        });
    assertThatThrownBy(
            () -> Receiver.builder(path).type(SocketType.STREAM).kernels(() -> late).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("EADDRINUSE")
        .hasMessageContaining("in use by pid " + ProcessHandle.current().pid());
    assertReachable(between.getFirst(), path);
    between.getFirst().close();
    assertThat(dir).isEmptyDirectory();
  }

  /** What is no socket is neither replaced nor lost, also when it came since the look. */
  @Test
  void aFileThatCameSinceTheLookIsPutBack() throws Exception {
    Path path = dir.resolve("app.sock");
    leaveDeadFile(path);
    Kernel late =
        beforeExchange(() -> {
          Files.delete(path);
          Files.writeString(path, "precious");
        });
    assertThatThrownBy(() -> Receiver.builder(path).kernels(() -> late).open())
        .isInstanceOf(SystemCallException.class)
        .hasMessageContaining("not a socket");
    assertThat(path).hasContent("precious");
    Files.delete(path);
    assertThat(dir).isEmptyDirectory();
  }
}
