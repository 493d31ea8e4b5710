package dev.peekpass.it;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.peekpass.cli.pki.ServerIdentity;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.NetworkChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.NullUnmarked;

/**
 * A server that knows nothing of the agent, in a process of its own: {@code KIND PORT [CERT KEY]}.
 * Speaks just enough HTTP/1.1. {@code /rebind} closes the listening socket and binds it anew,
 * {@code /options} tells what options read back as, every other path tells the addresses.
 */
@NullUnmarked
final class AgentServer {
  static final int RECEIVE_BUFFER_BYTES = 100_000;
  static final int TRAFFIC_CLASS = 8;

  private AgentServer() {}

  /** A listening socket of some kind and what accepts on it. */
  interface Listener {
    void open(InetSocketAddress address) throws IOException;

    /** What it takes itself to be bound to. */
    SocketAddress local() throws IOException;

    /** Sets SO_RCVBUF and tells what it reads back as. */
    int receiveBuffer(int bytes) throws IOException;

    void close() throws IOException;
  }

  /** Answers one request; shared by all kinds. */
  static final class Answers {
    private final Listener listener;
    private final InetSocketAddress address;

    Answers(Listener listener, InetSocketAddress address) {
      this.listener = listener;
      this.address = address;
    }

    String answer(String path, Object remote, Object local) throws IOException {
      return switch (path) {
        case "/rebind" -> {
          listener.close();
          listener.open(address);
          yield "rebound " + listener.local() + "\n";
        }
        case "/options" -> "buffer " + listener.receiveBuffer(RECEIVE_BUFFER_BYTES / 2) + "\n";
        default -> "remote " + remote + " local " + local + "\n";
      };
    }
  }

  public static void main(String[] arguments) throws Exception {
    InetSocketAddress address = new InetSocketAddress(Integer.parseInt(arguments[1]));
    Listener listener =
        switch (arguments[0]) {
          case "http" -> new Http(address, null);
          case "https" -> new Http(address, arguments);
          case "socket" -> new Sockets(address, false, 0);
          case "socket-virtual" -> new Sockets(address, true, 0);
          case "socket-timeout" -> new Sockets(address, false, 50);
          case "channel" -> new BlockingChannel(address, false);
          case "channel-virtual" -> new BlockingChannel(address, true);
          case "selector" -> new Selecting(address, false);
          case "selector-first" -> new Selecting(address, true);
          case "asynchronous" -> new Asynchronous(address);
          default -> throw new IllegalArgumentException(arguments[0]);
        };
    listener.open(address);
    System.out.println("listening " + listener.local());
    new CountDownLatch(1).await();
  }

  private static void start(boolean virtual, Runnable work) {
    if (virtual) {
      Thread.startVirtualThread(work);
    } else {
      Thread.ofPlatform().start(work);
    }
  }

  /** Answers requests until the client has none any more. */
  static void talk(Answers answers, InputStream in, OutputStream out, Object remote, Object local)
      throws IOException {
    BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII));
    String path = "";
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      if (line.startsWith("GET ")) {
        path = line.substring(4, line.lastIndexOf(' '));
      }
      if (line.isEmpty()) {
        out.write(response(answers.answer(path, remote, local)));
        out.flush();
      }
    }
  }

  static byte[] response(String body) {
    String text = "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static void talk(Answers answers, Socket socket) {
    try (socket) {
      socket.setTrafficClass(TRAFFIC_CLASS);
      socket.setTcpNoDelay(true);
      String options =
          " class " + socket.getTrafficClass() + " buffer " + socket.getReceiveBufferSize();
      talk(
          answers,
          socket.getInputStream(),
          socket.getOutputStream(),
          socket.getRemoteSocketAddress(),
          socket.getLocalSocketAddress() + options);
    } catch (IOException e) {
      // The client has left.
    }
  }

  private static final class Http implements Listener {
    private final Answers answers;
    private final String[] identity;
    private HttpServer server;

    Http(InetSocketAddress address, String[] identity) {
      this.answers = new Answers(this, address);
      this.identity = identity;
    }

    @Override
    public void open(InetSocketAddress address) throws IOException {
      if (identity == null) {
        server = HttpServer.create(address, 0);
      } else {
        HttpsServer https = HttpsServer.create(address, 0);
        https.setHttpsConfigurator(
            new HttpsConfigurator(ServerIdentity.load(Path.of(identity[2]), Path.of(identity[3]))));
        server = https;
      }
      server.createContext("/", this::handle);
      server.start();
    }

    private void handle(HttpExchange exchange) throws IOException {
      String path = exchange.getRequestURI().getPath();
      if (path.equals("/rebind")) {
        // stop() waits for this exchange to end.
        exchange.sendResponseHeaders(200, 0);
        exchange.close();
        Thread.ofPlatform()
            .start(() -> {
              try {
                answers.answer(path, "", "");
                System.out.println("rebound");
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
        return;
      }
      byte[] body =
          answers
              .answer(path, exchange.getRemoteAddress(), exchange.getLocalAddress())
              .getBytes(StandardCharsets.US_ASCII);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    }

    @Override
    public SocketAddress local() {
      return server.getAddress();
    }

    @Override
    public int receiveBuffer(int bytes) {
      return bytes;
    }

    @Override
    public void close() {
      server.stop(0);
    }
  }

  private static final class Sockets implements Listener {
    private final Answers answers;
    private final boolean virtual;
    private final int timeoutMillis;
    private ServerSocket socket;

    Sockets(InetSocketAddress address, boolean virtual, int timeoutMillis) {
      this.answers = new Answers(this, address);
      this.virtual = virtual;
      this.timeoutMillis = timeoutMillis;
    }

    @Override
    public void open(InetSocketAddress address) throws IOException {
      ServerSocket opened = new ServerSocket();
      opened.setReceiveBufferSize(RECEIVE_BUFFER_BYTES);
      opened.bind(address);
      opened.setSoTimeout(timeoutMillis);
      socket = opened;
      start(virtual, () -> accept(opened));
    }

    private void accept(ServerSocket from) {
      while (true) {
        try {
          Socket connection = from.accept();
          start(virtual, () -> talk(answers, connection));
        } catch (SocketTimeoutException e) {
          // What a server with SO_TIMEOUT waits for.
        } catch (IOException e) {
          return;
        }
      }
    }

    @Override
    public SocketAddress local() {
      return socket.getLocalSocketAddress();
    }

    @Override
    public int receiveBuffer(int bytes) throws IOException {
      socket.setReceiveBufferSize(bytes);
      return socket.getReceiveBufferSize();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  /** What the kinds of channels share. */
  private abstract static class ChannelListener<C extends NetworkChannel> implements Listener {
    final Answers answers;
    C channel;

    ChannelListener(InetSocketAddress address) {
      this.answers = new Answers(this, address);
    }

    final void handle(SocketChannel connection) {
      Thread.startVirtualThread(() -> {
        try {
          connection.configureBlocking(true);
          talk(answers, connection.socket());
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
    }

    @Override
    public SocketAddress local() throws IOException {
      return channel.getLocalAddress();
    }

    @Override
    public int receiveBuffer(int bytes) throws IOException {
      channel.setOption(StandardSocketOptions.SO_RCVBUF, bytes);
      return channel.getOption(StandardSocketOptions.SO_RCVBUF);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private static final class BlockingChannel extends ChannelListener<ServerSocketChannel> {
    private final boolean virtual;

    BlockingChannel(InetSocketAddress address, boolean virtual) {
      super(address);
      this.virtual = virtual;
    }

    @Override
    public void open(InetSocketAddress address) throws IOException {
      ServerSocketChannel opened = ServerSocketChannel.open();
      opened.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      opened.bind(address);
      channel = opened;
      start(virtual, () -> accept(opened));
    }

    private void accept(ServerSocketChannel from) {
      try {
        while (true) {
          handle(from.accept());
        }
      } catch (IOException e) {
        // Closed, to be bound anew.
      }
    }
  }

  /** Trusts readiness, as many servers do: says so when accept then gives nothing. */
  private static final class Selecting extends ChannelListener<ServerSocketChannel> {
    private final boolean registerFirst;
    private Selector selector;

    Selecting(InetSocketAddress address, boolean registerFirst) {
      super(address);
      this.registerFirst = registerFirst;
    }

    @Override
    public void open(InetSocketAddress address) throws IOException {
      Selector opened = Selector.open();
      channel = ServerSocketChannel.open();
      channel.configureBlocking(false);
      channel.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      if (registerFirst) {
        channel.register(opened, SelectionKey.OP_ACCEPT);
        // So that epoll has it.
        opened.selectNow();
        channel.bind(address);
      } else {
        channel.bind(address);
        channel.register(opened, SelectionKey.OP_ACCEPT);
      }
      selector = opened;
      ServerSocketChannel from = channel;
      Thread.ofPlatform().start(() -> select(opened, from));
    }

    private void select(Selector from, ServerSocketChannel listening) {
      try {
        while (listening.isOpen()) {
          from.select();
          if (from.selectedKeys().isEmpty()) {
            continue;
          }
          from.selectedKeys().clear();
          SocketChannel connection = listening.accept();
          if (connection == null) {
            System.out.println("NOTHING to accept, but ready");
          } else {
            handle(connection);
          }
        }
      } catch (ClosedChannelException | ClosedSelectorException e) {
        // Closed, to be bound anew.
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      // Lets the selector let go of it, without which its descriptor stays open.
      selector.close();
    }
  }

  private static final class Asynchronous extends ChannelListener<AsynchronousServerSocketChannel> {
    Asynchronous(InetSocketAddress address) {
      super(address);
    }

    @Override
    public void open(InetSocketAddress address) throws IOException {
      AsynchronousServerSocketChannel opened = AsynchronousServerSocketChannel.open();
      opened.setOption(StandardSocketOptions.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      opened.bind(address);
      channel = opened;
      opened.accept(
          null,
          new CompletionHandler<AsynchronousSocketChannel, Object>() {
            @Override
            public void completed(AsynchronousSocketChannel connection, Object nothing) {
              Thread.ofPlatform().start(() -> handle(connection));
              opened.accept(null, this);
            }

            @Override
            public void failed(Throwable cause, Object nothing) {
              // Closed, to be bound anew.
            }
          });
    }

    private void handle(AsynchronousSocketChannel connection) {
      try (connection) {
        connection.setOption(StandardSocketOptions.TCP_NODELAY, true);
        String options = " buffer " + connection.getOption(StandardSocketOptions.SO_RCVBUF);
        talk(
            answers,
            Channels.newInputStream(connection),
            Channels.newOutputStream(connection),
            connection.getRemoteAddress(),
            connection.getLocalAddress() + options);
      } catch (IOException e) {
        // The client has left.
      }
    }
  }
}
