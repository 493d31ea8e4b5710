package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.receiver.TestProxy.Accepted;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
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
}
