package dev.peekpass.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Kernel;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.linux.Message;
import dev.peekpass.linux.NativeBuffer;
import dev.peekpass.linux.SharedWords;
import dev.peekpass.linux.SockAddr;
import dev.peekpass.wire.ClaimWord;
import dev.peekpass.wire.FromProxy;
import dev.peekpass.wire.FromReceiver;
import dev.peekpass.wire.HandOff;
import dev.peekpass.wire.Metadata;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An acknowledging receiver that does what a test tells it, right or wrong, and nothing else. */
final class TestAcknowledger implements AutoCloseable {
  /** A connection that came; closed with the receiver, if not before. */
  record Offered(long number, Fd fd, Metadata metadata, int ofMessage) {}

  final Kernel kernel = LinuxKernel.open();
  private final Path path;
  private final Fd listener;
  private final Message message = new Message(HandOff.MAX_MESSAGE_BYTES, Linux.SCM_MAX_FD);
  private final NativeBuffer out = new NativeBuffer(64);
  private final NativeBuffer bytes = new NativeBuffer(1 << 16);
  private final FromProxy view = new FromProxy();
  private final Queue<Offered> came = new ArrayDeque<>();
  private final Set<Fd> open = new HashSet<>();
  private @Nullable Fd channel;
  private @Nullable SharedWords words;

  /** The version in the proxy's hello. */
  int proxysVersion;

  TestAcknowledger(Path path) throws IOException {
    this.path = path;
    Files.deleteIfExists(path);
    listener = Fd.of(kernel.socket(Linux.AF_UNIX, Linux.SOCK_SEQPACKET | Linux.SOCK_NONBLOCK, 0));
    SockAddr address = new SockAddr();
    address.unix(path.toString());
    assertThat(kernel.bind(listener, address)).isZero();
    assertThat(kernel.listen(listener, 16)).isZero();
  }

  /** Waits for the proxy to connect. */
  TestAcknowledger accept() {
    int[] accepted = new int[1];
    Tests.await(
        "the proxy connects",
        () -> {
          accepted[0] = kernel.accept4(listener, null, Linux.SOCK_NONBLOCK | Linux.SOCK_CLOEXEC);
          return accepted[0] >= 0;
        });
    channel = Fd.of(accepted[0]);
    return this;
  }

  private Fd channel() {
    return Objects.requireNonNull(channel, "not accepted");
  }

  /** Says hello and waits for the proxy's. */
  TestAcknowledger greet(boolean claims, long granted) {
    send(FromReceiver.writeHello(out.bytes(), HandOff.MAX_CONNECTIONS, claims, granted));
    Tests.await("the proxy says hello", () -> receive() && proxysVersion > 0);
    return this;
  }

  void ack(long settled, long granted) {
    ack(settled, granted, HandOff.LOAD_UNKNOWN);
  }

  void ack(long settled, long granted, int load) {
    send(FromReceiver.writeAck(out.bytes(), false, load, settled, granted));
  }

  void drain(long settled) {
    send(FromReceiver.writeAck(out.bytes(), true, HandOff.LOAD_UNKNOWN, settled, 0));
  }

  void refuse(long number) {
    send(FromReceiver.writeRefuse(out.bytes(), number));
  }

  /** Sends any bytes; returns what send(2) does. */
  int send(byte[] any) {
    bytes.bytes().put(0, any);
    return kernel.send(channel(), bytes, 0, any.length, Linux.MSG_NOSIGNAL | Linux.MSG_DONTWAIT);
  }

  private void send(int length) {
    assertThat(kernel.send(channel(), out, 0, length, Linux.MSG_NOSIGNAL)).isEqualTo(length);
  }

  /** Sends a descriptor where none may be sent; returns what sendmsg(2) does. */
  int sendDescriptor(Fd fd) {
    int length = FromReceiver.writeAck(message.payload(), false, 0, 0, 10);
    message.beginSend(length);
    message.add(fd);
    return kernel.sendmsg(channel(), message, Linux.MSG_NOSIGNAL);
  }

  /** Waits for the next connection. */
  Offered next() {
    Tests.await("a connection is offered", () -> !came.isEmpty() || (receive() && !came.isEmpty()));
    return came.remove();
  }

  /** Whether another connection has come. */
  boolean hasMore() {
    return !came.isEmpty() || (receive() && !came.isEmpty());
  }

  private boolean receive() {
    int n = kernel.recvmsg(channel(), message, Linux.MSG_CMSG_CLOEXEC | Linux.MSG_DONTWAIT);
    if (n <= 0) {
      assertThat(n).as("the proxy keeps the channel open").isEqualTo(-Errno.EAGAIN);
      return false;
    }
    switch (view.parse(message.payload(), n)) {
      case HELLO -> {
        proxysVersion = view.version();
        assertThat(message.descriptorCount()).isEqualTo(view.words() > 0 ? 1 : 0);
        if (view.words() > 0) {
          SharedWords shared = new SharedWords(view.words());
          assertThat(kernel.mmap(message.descriptor(0), shared)).isZero();
          assertThat(kernel.close(message.descriptor(0))).isZero();
          words = shared;
        }
      }
      case OFFER -> {
        assertThat(message.descriptorCount()).isEqualTo(view.count());
        for (int i = 0; i < view.count(); i++) {
          Offered offered =
              new Offered(view.first() + i, message.descriptor(i), view.metadata(i), view.count());
          came.add(offered);
          open.add(offered.fd);
        }
      }
      default -> throw new AssertionError("the proxy sent " + n + " bytes that are no message");
    }
    return true;
  }

  boolean claim(Offered offered) {
    SharedWords shared = Objects.requireNonNull(words);
    int index = (int) (offered.number % shared.count());
    return shared.compareAndSet(
        index, ClaimWord.offered(offered.number), ClaimWord.claimed(offered.number));
  }

  /** Writes nonsense all over the page. */
  void scribble(long value) {
    SharedWords shared = Objects.requireNonNull(words);
    for (int i = 0; i < shared.count(); i++) {
      shared.set(i, value);
    }
  }

  String read(Offered offered) {
    int n = kernel.recv(offered.fd, bytes, 0, bytes.capacity(), Linux.MSG_DONTWAIT);
    assertThat(n).as("recv").isNotNegative();
    byte[] copy = new byte[n];
    bytes.bytes().get(0, copy);
    return new String(copy, StandardCharsets.ISO_8859_1);
  }

  /** Reads, answers, shuts down, since there may be copies, and closes. */
  void answer(Offered offered, String text) {
    read(offered);
    byte[] answer = text.getBytes(StandardCharsets.ISO_8859_1);
    bytes.bytes().put(0, answer);
    assertThat(kernel.send(offered.fd, bytes, 0, answer.length, Linux.MSG_NOSIGNAL))
        .isEqualTo(answer.length);
    assertThat(kernel.shutdown(offered.fd, Linux.SHUT_WR)).isZero();
    close(offered);
  }

  /** The test closes it by itself. */
  void forget(Offered offered) {
    assertThat(open.remove(offered.fd)).isTrue();
  }

  void close(Offered offered) {
    assertThat(open.remove(offered.fd)).isTrue();
    assertThat(kernel.close(offered.fd)).isZero();
  }

  /** Whether the proxy has ended the channel. */
  boolean isEnded() {
    int n = kernel.recv(channel(), bytes, 0, 1, Linux.MSG_DONTWAIT | Linux.MSG_PEEK);
    return n == 0 || n == -Errno.ECONNRESET;
  }

  /** Ends the channel, as the end of the process would: what is queued in it is gone. */
  void end() {
    Fd open = channel;
    if (open != null) {
      channel = null;
      proxysVersion = 0;
      kernel.close(open);
    }
    SharedWords shared = words;
    if (shared != null) {
      words = null;
      kernel.munmap(shared);
    }
  }

  @Override
  public void close() throws IOException {
    end();
    open.forEach(kernel::close);
    kernel.close(listener);
    Files.deleteIfExists(path);
  }
}
