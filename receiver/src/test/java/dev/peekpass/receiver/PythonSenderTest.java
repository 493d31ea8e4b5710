package dev.peekpass.receiver;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A sender that shares no code with the receiver. */
@Tag("processes")
class PythonSenderTest {
  /** Hands COUNT connections over in messages of BATCH: PATH STREAM|DATAGRAM COUNT BATCH. */
  private static final String SENDER =
      """
      import socket, sys
      kind = socket.SOCK_STREAM if sys.argv[2] == "STREAM" else socket.SOCK_DGRAM
      unix = socket.socket(socket.AF_UNIX, kind)
      unix.connect(sys.argv[1])
      listener = socket.create_server(("127.0.0.1", 0))
      clients = []
      for message in range(int(sys.argv[3])):
          batch = []
          for _ in range(int(sys.argv[4])):
              clients.append(socket.create_connection(listener.getsockname()))
              batch.append(listener.accept()[0])
          socket.send_fds(unix, [b"P"], [s.fileno() for s in batch])
          for s in batch:
              s.close()
      for client in clients:
          print("%s:%d" % client.getsockname() == client.recv(100).decode())
      """;

  @TempDir Path dir;

  private void receive(SocketType type, int messages, int batch) throws Exception {
    Loud.assume(Python.isThere(), "there is no python3 to send with");
    Path path = dir.resolve("app.sock");
    try (Receiver receiver = Receiver.builder(path).type(type).open();
        Child sender =
            new Child(
                "python3",
                "-c",
                SENDER,
                path.toString(),
                type.name(),
                String.valueOf(messages),
                String.valueOf(batch))) {
      for (int i = 0; i < messages * batch; i++) {
        try (SocketChannel connection = receiver.accept()) {
          String remote = connection.getRemoteAddress().toString().substring(1);
          connection.write(
              ByteBuffer.wrap(remote.getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
        }
      }
      assertThat(sender.output().lines()).hasSize(messages * batch).containsOnly("True");
    }
  }

  @ParameterizedTest
  @EnumSource(value = SocketType.class, names = "ACKNOWLEDGED", mode = EnumSource.Mode.EXCLUDE)
  void itsConnectionsArrive(SocketType type) throws Exception {
    receive(type, 25, 1);
  }

  @Test
  void itsBatchesArrive() throws Exception {
    receive(SocketType.STREAM, 3, 20);
  }
}
