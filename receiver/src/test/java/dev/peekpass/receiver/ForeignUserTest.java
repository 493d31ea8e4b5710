package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.linux.Errno;
import dev.peekpass.linux.Fd;
import dev.peekpass.linux.Linux;
import dev.peekpass.linux.Message;
import dev.peekpass.receiver.TestProxy.Accepted;
import dev.peekpass.wire.FromReceiver;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A process of a user that is not allowed, though the socket file lets it in. */
@Tag("processes")
class ForeignUserTest {
  /** The user nobody on every distribution. */
  private static final int NOBODY = 65534;

  /** Hands a connection of its own over and says how that ends: PATH STREAM|DATAGRAM. */
  private static final String SENDER =
      """
      import socket, sys
      kind = socket.SOCK_STREAM if sys.argv[2] == "STREAM" else socket.SOCK_DGRAM
      unix = socket.socket(socket.AF_UNIX, kind)
      unix.connect(sys.argv[1])
      listener = socket.create_server(("127.0.0.1", 0))
      client = socket.create_connection(listener.getsockname())
      accepted = listener.accept()[0]
      socket.send_fds(unix, [b"P"], [accepted.fileno()])
      accepted.close()
      print("sent", flush=True)
      try:
          print("got %r" % client.recv(1))
      except ConnectionResetError:
          print("got reset")
      """;

  @TempDir Path dir;
  private final TestProxy proxy = new TestProxy();

  @BeforeEach
  void letEverybodyIn() throws IOException {
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  @AfterEach
  void closeProxy() throws IOException {
    proxy.close();
  }

  /** The sender as nobody, with the system's Python: root's own may be where nobody may not go. */
  private static Child asNobody(String... arguments) throws IOException {
    String[] command = {
      "setpriv",
      "--reuid=" + NOBODY,
      "--regid=" + NOBODY,
      "--clear-groups",
      "env",
      "PATH=/usr/local/bin:/usr/bin:/bin",
      "python3",
      "-c"
    };
    String[] all = new String[command.length + arguments.length];
    System.arraycopy(command, 0, all, 0, command.length);
    System.arraycopy(arguments, 0, all, command.length, arguments.length);
    return new Child(all);
  }

  private static boolean canBeNobody() {
    try (Child python = asNobody("import os, socket; print(socket.send_fds, os.getuid())")) {
      return python.output().contains(" " + NOBODY);
    } catch (IOException e) {
      return false;
    }
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void itsConnectionIsClosedAndOthersStillArrive(SocketType type) throws Exception {
    Loud.assume(proxy.kernel.geteuid() == 0, "only root can act as another user");
    Loud.assume(canBeNobody(), "there is no setpriv, or no python3 that nobody may run");
    Path path = dir.resolve("app.sock");
    try (Receiver receiver = Receiver.builder(path).type(type).mode("rw-rw-rw-").open();
        Child sender = asNobody(SENDER, path.toString(), type.name())) {
      sender.lineWith("sent");
      Accepted allowed = proxy.client();
      proxy.pass(proxy.connect(path, type), allowed);
      try (SocketChannel connection = receiver.accept()) {
        assertThat(connection.getRemoteAddress())
            .isEqualTo(allowed.client().getLocalSocketAddress());
      }
      assertThat(sender.lineWith("got")).isIn("got b''", "got reset");
      assertThat(receiver.statistics().refusedPeers()).isOne();
      assertThat(receiver.statistics().accepted()).isOne();
      assertThat(receiver.statistics().openUnixConnections())
          .isEqualTo(type == SocketType.STREAM ? 1 : 0);
    }
  }

  /** Hands over, by as many UNIX connections, connections that linger, and keeps no copy. */
  private static final String LINGERER =
      """
      import socket, struct, sys
      path, kind, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
      kinds = {"STREAM": socket.SOCK_STREAM, "DATAGRAM": socket.SOCK_DGRAM,
               "ACKNOWLEDGED": socket.SOCK_SEQPACKET}
      keep, sent = [], 0
      for i in range(count):
          unix = socket.socket(socket.AF_UNIX, kinds[kind])
          unix.connect(path)
          listener = socket.socket()
          listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
          listener.bind(("127.0.0.1", 0))
          listener.listen()
          client = socket.socket()
          client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
          client.connect(listener.getsockname())
          keep += [listener, listener.accept()[0]]
          client.setblocking(False)
          try:
              while True: client.send(b"x" * 65536)
          except BlockingIOError:
              pass
          client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
          try:
              socket.send_fds(unix, [b"P"], [client.fileno()])
              sent += 1
          except OSError:
              client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
          client.close()
          unix.close()
      print("sent", sent, flush=True)
      sys.stdin.read()
      """;

  private static final int LINGERING = ClosingAside.THREADS_MAX + 2;

  private void assumeNobody() {
    Loud.assume(proxy.kernel.geteuid() == 0, "only root can act as another user");
    Loud.assume(canBeNobody(), "there is no setpriv, or no python3 that nobody may run");
  }

  private static Child lingerer(Path path, SocketType type) throws IOException {
    return asNobody(
        LINGERER,
        path.toString(),
        type.name(),
        Integer.toString(LINGERING),
        Integer.toString(Lingering.SECONDS));
  }

  @ParameterizedTest
  @EnumSource
  void whatLingersHoldsUpNobody(SocketType type) throws Exception {
    assumeNobody();
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver =
            Receiver.builder(path).type(type).mode("rw-rw-rw-").openDescriptors();
        Child sender = lingerer(path, type)) {
      String sent = sender.lineWith("sent");
      Accepted allowed = proxy.client();
      Lingering.assertAtOnce(() -> {
        if (type == SocketType.ACKNOWLEDGED) {
          TestOffers offers = new TestOffers(proxy, path);
          HandedOff none = receiver.poll();
          while (none == null && !offers.isReadable()) {
            none = receiver.poll();
          }
          assertThat(none).isNull();
          assertThat(offers.read()).isEqualTo(FromReceiver.Kind.HELLO);
          offers.greet(true).offer(allowed.fd());
        } else {
          proxy.pass(proxy.connect(path, type), allowed);
        }
        HandedOff next = receiver.poll();
        while (next == null) {
          proxy.kernel.poll(receiver.pollable(), Linux.POLLIN, 100);
          next = receiver.poll();
        }
        assertThat(next.client()).isEqualTo(allowed.client().getLocalSocketAddress());
        next.discard(proxy.kernel);
      });
      assertThat(receiver.statistics().refusedPeers()).as(sent).isEqualTo(LINGERING);
      Lingering.assertAtOnce(receiver::close);
    }
  }

  /** What was never looked at: the kernel closes what waits in a socket with the socket. */
  @ParameterizedTest
  @EnumSource
  void closingDoesNotWaitForWhatLingers(SocketType type) throws Exception {
    assumeNobody();
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver =
            Receiver.builder(path).type(type).mode("rw-rw-rw-").openDescriptors();
        Child sender = lingerer(path, type)) {
      sender.lineWith("sent");
      Lingering.assertAtOnce(receiver::close);
    }
  }

  /** Connects and tells what it is told, then what its end is. */
  private static final String LISTENER =
      """
      import socket, sys
      unix = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
      unix.connect(sys.argv[1])
      print("told", unix.recv(64).hex(), flush=True)
      print("end %r" % unix.recv(64), flush=True)
      """;

  @Test
  void itIsToldWhyItIsNotLetIn() throws Exception {
    assumeNobody();
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver = Receiver.builder(path).mode("rw-rw-rw-").openDescriptors();
        Child sender = asNobody(LISTENER, path.toString())) {
      proxy.kernel.poll(receiver.pollable(), Linux.POLLIN, -1);
      assertThat(receiver.poll()).isNull();
      assertThat(sender.lineWith("told")).isEqualTo("told 04010000feff00000000000000000000");
      assertThat(sender.lineWith("end")).isEqualTo("end b''");
      assertThat(receiver.statistics().refusedPeers()).isOne();
      assertThat(receiver.statistics().unixConnections()).isZero();
    }
  }

  /** Before it is let in nobody can make it hold a descriptor; Linux 6.16. */
  @Test
  void nothingCanBeSentBeforeHello() throws Exception {
    Path path = dir.resolve("app.sock");
    try (DescriptorReceiver receiver = Receiver.builder(path).openDescriptors()) {
      Fd early = proxy.connect(path, SocketType.ACKNOWLEDGED);
      boolean known =
          proxy.kernel.setsockopt(early, Linux.SOL_SOCKET, Linux.SO_PASSRIGHTS, 0)
              != -Errno.ENOPROTOOPT;
      Loud.assume(known, "this kernel does not know SO_PASSRIGHTS");
      Message message = new Message(1, 1);
      message.beginSend(1);
      message.add(proxy.client().fd());
      assertThat(proxy.kernel.sendmsg(early, message, Linux.MSG_NOSIGNAL)).isEqualTo(-Errno.EPERM);
      assertThat(receiver.poll()).isNull();
      assertThat(proxy.kernel.sendmsg(early, message, Linux.MSG_NOSIGNAL)).isOne();
    }
  }
}
