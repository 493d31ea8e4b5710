package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.util.concurrent.FutureTask;

/** A server that speaks first and then sends back; its listener does not peek. */
final class EchoTalk extends HttpTalk {
  EchoTalk(int port) {
    super("127.0.0.1", port, null);
  }

  private static void greeted(Socket socket) throws IOException {
    String expected = address(socket) + "\n";
    byte[] greeting = socket.getInputStream().readNBytes(expected.length());
    assertThat(new String(greeting, US_ASCII)).isEqualTo(expected);
  }

  @Override
  public void once() throws Exception {
    try (Socket socket = connect()) {
      greeted(socket);
      socket.getOutputStream().write("to and fro".getBytes(US_ASCII));
      socket.shutdownOutput();
      assertThat(new String(socket.getInputStream().readAllBytes(), US_ASCII))
          .isEqualTo("to and fro");
    }
  }

  @Override
  public void keepAlive() throws Exception {
    try (Socket socket = connect()) {
      greeted(socket);
      FutureTask<Void> sending =
          new FutureTask<>(() -> {
            Payload.write(socket.getOutputStream());
            socket.shutdownOutput();
            return null;
          });
      Thread.startVirtualThread(sending);
      assertThat(Payload.sum(socket.getInputStream())).isEqualTo(Payload.sum());
      sending.get();
    }
  }

  @Override
  public void reset() throws IOException {
    Socket socket = connect();
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public AutoCloseable open() throws Exception {
    Socket socket = connect();
    greeted(socket);
    return socket;
  }
}
