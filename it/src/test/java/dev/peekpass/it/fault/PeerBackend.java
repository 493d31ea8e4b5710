package dev.peekpass.it.fault;

import dev.peekpass.receiver.Receiver;
import dev.peekpass.receiver.SocketType;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The backend of the comparison, the same behind every proxy: {@code FILE NAME tcp:PORT} or {@code
 * FILE NAME unix:PATH}. Answers each connection with the file. On SIGTERM it takes no more, answers
 * what it has, and ends.
 */
final class PeerBackend {
  private static final int MAX_HEAD_BYTES = 4096;
  private static final int BACKLOG = 4096;

  private final byte[] answer;
  private final Phaser underWay = new Phaser(1);

  private PeerBackend(byte[] body, String name) {
    String head =
        "HTTP/1.1 200 OK\r\nX-Backend: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            .formatted(name, body.length);
    byte[] headBytes = head.getBytes(StandardCharsets.US_ASCII);
    answer = new byte[headBytes.length + body.length];
    System.arraycopy(headBytes, 0, answer, 0, headBytes.length);
    System.arraycopy(body, 0, answer, headBytes.length, body.length);
  }

  /** Where connections come from. */
  private interface Source {
    SocketChannel accept() throws IOException;

    void stop() throws IOException;
  }

  private static Source source(String where) throws IOException {
    if (where.startsWith("unix:")) {
      Receiver receiver =
          Receiver.builder(Path.of(where.substring("unix:".length())))
              .type(SocketType.ACKNOWLEDGED)
              .open();
      return new Source() {
        @Override
        public SocketChannel accept() throws IOException {
          return receiver.accept();
        }

        @Override
        public void stop() throws IOException {
          receiver.drain();
        }
      };
    }
    int port = Integer.parseInt(where.substring("tcp:".length()));
    ServerSocketChannel server = ServerSocketChannel.open();
    server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), BACKLOG);
    return new Source() {
      @Override
      public SocketChannel accept() throws IOException {
        return server.accept();
      }

      @Override
      public void stop() throws IOException {
        server.close();
      }
    };
  }

  private void answer(SocketChannel channel) {
    try (channel) {
      ByteBuffer head = ByteBuffer.allocate(MAX_HEAD_BYTES);
      while (!new String(head.array(), 0, head.position(), StandardCharsets.US_ASCII)
          .contains("\r\n\r\n")) {
        if (channel.read(head) <= 0) {
          return;
        }
      }
      ByteBuffer rest = ByteBuffer.wrap(answer);
      while (rest.hasRemaining()) {
        channel.write(rest);
      }
      // Not close(2) alone: the copy of a frozen receiver would keep the connection open.
      channel.shutdownOutput();
      while (channel.read(head.clear()) > 0) {
        // Until the client has closed.
      }
    } catch (IOException e) {
      // The client has gone; it says so itself.
    } finally {
      underWay.arriveAndDeregister();
    }
  }

  private void run(Source source) {
    while (true) {
      SocketChannel channel;
      try {
        channel = source.accept();
      } catch (IOException e) {
        return;
      }
      underWay.register();
      Thread.ofVirtual().start(() -> answer(channel));
    }
  }

  private void finish() {
    try {
      underWay.awaitAdvanceInterruptibly(underWay.arriveAndDeregister(), 5, TimeUnit.SECONDS);
    } catch (InterruptedException | TimeoutException e) {
      System.err.println("not all were answered in time");
    }
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    PeerBackend backend = new PeerBackend(Files.readAllBytes(Path.of(arguments[0])), arguments[1]);
    Source source = source(arguments[2]);
    Thread accepting = Thread.ofPlatform().start(() -> backend.run(source));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(() -> {
              try {
                source.stop();
                accepting.join();
                backend.finish();
              } catch (IOException | InterruptedException e) {
                System.err.println(e);
              }
            }));
    System.out.println("serving");
    accepting.join();
  }
}
