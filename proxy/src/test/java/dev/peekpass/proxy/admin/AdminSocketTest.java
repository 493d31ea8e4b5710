package dev.peekpass.proxy.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.PeerCredentials;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.linux.SystemCallException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Proxies that start at the same moment with one admin socket: one has it, the others are told. */
class AdminSocketTest {
  private static final int ROUNDS = 150;

  @TempDir Path dir;
  private final Kernel kernel = LinuxKernel.open();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void endAll() {
    threads.shutdownNow();
  }

  private Fd socket() {
    int r = kernel.socket(Linux.AF_UNIX, Linux.SOCK_STREAM | Linux.SOCK_CLOEXEC, 0);
    assertThat(r).isNotNegative();
    return Fd.of(r);
  }

  private void leaveDeadFile(Path path) {
    Fd fd = socket();
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(kernel.bind(fd, address)).isZero();
    kernel.close(fd);
  }

  private List<AdminSocket> startTogether(Path path, int count) throws Exception {
    CyclicBarrier start = new CyclicBarrier(count);
    List<Future<@Nullable AdminSocket>> starting = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      starting.add(
          threads.submit(() -> {
            Kernel own = LinuxKernel.open();
            start.await();
            try {
              return AdminSocket.open(own, path.toString(), false);
            } catch (SystemCallException e) {
              assertThat(e.errno()).as(e.getMessage()).isEqualTo(Errno.EADDRINUSE);
              return null;
            }
          }));
    }
    List<AdminSocket> open = new ArrayList<>();
    for (Future<@Nullable AdminSocket> each : starting) {
      @Nullable AdminSocket socket = each.get();
      if (socket != null) {
        open.add(socket);
      }
    }
    return open;
  }

  @ParameterizedTest
  @CsvSource({"2, false", "2, true", "8, false", "8, true"})
  void exactlyOneHasThePath(int count, boolean overDeadFile) throws Exception {
    Path path = dir.resolve("admin.sock");
    for (int round = 0; round < ROUNDS; round++) {
      if (overDeadFile) {
        leaveDeadFile(path);
      }
      List<AdminSocket> open = startTogether(path, count);
      assertThat(open).as("have it, round " + round).hasSize(1);
      assertThat(open.getFirst().isFound()).isTrue();
      Fd client = socket();
      SockAddr address = new SockAddr();
      address.unix(path.toString());
      assertThat(kernel.connect(client, address)).isZero();
      @Nullable PeerCredentials[] peer = new PeerCredentials[1];
      assertThat(kernel.peerCredentials(client, peer)).isZero();
      kernel.close(client);
      open.getFirst().close(kernel);
      assertThat(dir).as("left behind, round " + round).isEmptyDirectory();
    }
  }

  /** The real kernel, with something else in the place of one call. */
  private Kernel instead(String call, Supplier<Integer> answer) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) ->
                method.getName().equals(call) ? answer.get() : method.invoke(kernel, arguments));
  }

  /** A kernel or file system that cannot, or a seccomp(2) filter. */
  @ParameterizedTest
  @ValueSource(ints = {Errno.EINVAL, Errno.ENOSYS, Errno.EPERM})
  void itIsThereWithoutRenameat2(int errno) throws Exception {
    Path path = dir.resolve("admin.sock");
    Kernel old = instead("renameat2", () -> -errno);
    for (boolean overDeadFile : new boolean[] {false, true}) {
      if (overDeadFile) {
        leaveDeadFile(path);
      }
      AdminSocket socket = AdminSocket.open(old, path.toString(), false);
      assertThat(socket.isFound()).isTrue();
      socket.close(kernel);
      assertThat(dir).isEmptyDirectory();
    }
  }

  /** Whatever fails, and when. */
  @ParameterizedTest
  @ValueSource(strings = {"bind", "listen", "renameat2"})
  void whatFailsLeavesNothing(String call) {
    String path = dir.resolve("admin.sock").toString();
    assertThatThrownBy(() -> AdminSocket.open(instead(call, () -> -Errno.EIO), path, false))
        .hasMessageContaining("EIO");
    assertThat(dir).isEmptyDirectory();
  }
}
