package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SockAddr;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A receiver for tests, which takes connections only when it is told to. */
final class TestReceiver implements AutoCloseable {
  private final Kernel kernel = LinuxKernel.open();
  private final Path path;
  private final int type;
  private final Fd socket;
  private final List<Fd> channels = new ArrayList<>();
  private final Message message = new Message(64, Linux.SCM_MAX_FD);

  /** Connections of a message that came with the one that was taken. */
  private final ArrayDeque<Fd> received = new ArrayDeque<>();

  /** How many connections each message brought, in order; not kept unless set. */
  @Nullable List<Integer> messageSizes;

  private final NativeBuffer buffer = new NativeBuffer(1 << 16);

  /** How many UNIX connections came. */
  int channelsAccepted;

  /**
   * Binds.
   *
   * @param type SOCK_STREAM or SOCK_DGRAM
   * @param backlog of a stream socket
   */
  TestReceiver(Path path, int type, int backlog) throws IOException {
    this.path = path;
    this.type = type;
    Files.deleteIfExists(path);
    socket = Fd.of(kernel.socket(Linux.AF_UNIX, type | Linux.SOCK_NONBLOCK, 0));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(kernel.bind(socket, address)).isZero();
    if (type == Linux.SOCK_STREAM) {
      assertThat(kernel.listen(socket, backlog)).isZero();
    }
  }

  static TestReceiver stream(Path path) throws IOException {
    return new TestReceiver(path, Linux.SOCK_STREAM, 1024);
  }

  static TestReceiver datagram(Path path) throws IOException {
    return new TestReceiver(path, Linux.SOCK_DGRAM, 0);
  }

  /** Waits for the next connection; the caller owns it. */
  Fd take() {
    Fd[] taken = new Fd[1];
    Tests.await(
        "a connection is handed off",
        () -> {
          taken[0] = poll();
          return taken[0] != null;
        });
    return taken[0];
  }

  /** The next connection, or null when none is there. */
  @SuppressWarnings("NullAway")
  Fd poll() {
    if (!received.isEmpty()) {
      return received.poll();
    }
    if (type == Linux.SOCK_DGRAM) {
      return receive(socket);
    }
    for (int r = accept(); r >= 0; r = accept()) {
      channels.add(Fd.of(r));
      channelsAccepted++;
    }
    for (Fd channel : List.copyOf(channels)) {
      Fd fd = receive(channel);
      if (fd != null) {
        return fd;
      }
    }
    return null;
  }

  private int accept() {
    return kernel.accept4(socket, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
  }

  @SuppressWarnings("NullAway")
  private Fd receive(Fd from) {
    int n = kernel.recvmsg(from, message, Linux.MSG_CMSG_CLOEXEC | Linux.MSG_DONTWAIT);
    if (n == -Errno.EAGAIN) {
      return null;
    }
    if (n <= 0) {
      channels.remove(from);
      kernel.close(from);
      return null;
    }
    assertThat(n).as("bytes in a message").isOne();
    int count = message.descriptorCount();
    assertThat(count).as("descriptors in a message").isPositive();
    if (messageSizes != null) {
      messageSizes.add(count);
    }
    for (int i = 1; i < count; i++) {
      received.add(message.descriptor(i));
    }
    return message.descriptor(0);
  }

  /** What the client has sent, read as the backend would: also the part that was peeked. */
  String read(Fd fd) {
    int n = kernel.recv(fd, buffer, 0, buffer.capacity(), Linux.MSG_DONTWAIT);
    assertThat(n).as("recv").isNotNegative();
    byte[] bytes = new byte[n];
    buffer.bytes().get(0, bytes);
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }

  /** Reads what came, answers and closes. */
  void answer(Fd fd, String text) {
    kernel.recv(fd, buffer, 0, buffer.capacity(), Linux.MSG_DONTWAIT);
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    buffer.bytes().put(0, bytes);
    assertThat(kernel.send(fd, buffer, 0, bytes.length, Linux.MSG_NOSIGNAL))
        .isEqualTo(bytes.length);
    assertThat(kernel.close(fd)).isZero();
  }

  /** The peer's address, as the backend sees it. */
  String peer(Fd fd) {
    SockAddr address = new SockAddr();
    assertThat(kernel.getpeername(fd, address)).isZero();
    return address.toString();
  }

  int option(Fd fd, int level, int option) {
    return kernel.getsockopt(fd, level, option);
  }

  void close(Fd fd) {
    assertThat(kernel.close(fd)).isZero();
  }

  @Override
  public void close() throws IOException {
    // First, or a proxy that sees a channel end comes back and is lost with it.
    kernel.close(socket);
    received.forEach(kernel::close);
    channels.forEach(kernel::close);
    Files.deleteIfExists(path);
  }
}
