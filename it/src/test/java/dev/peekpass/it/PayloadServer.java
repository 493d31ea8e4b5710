package dev.peekpass.it;

import com.sun.net.httpserver.HttpServer;
import dev.peekpass.receiver.netty.HandOffServerChannel;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Phaser;
import org.jspecify.annotations.NullUnmarked;

/**
 * A backend for {@link BackendFaults}, in a process of its own: {@code KIND NAME PAYLOAD STALL
 * [SOCKET]}. Answers each request with the payload and ends the connection. While the file STALL is
 * there the kind {@code socket} accepts nothing. When told to end it stops to listen, answers what
 * it has accepted, and ends.
 */
@NullUnmarked
@SuppressWarnings("FutureReturnValueIgnored")
final class PayloadServer {
  private final byte[] payload;
  private final String head;
  private final Path stall;

  /** One party for each connection, and one for the server. */
  private final Phaser underWay = new Phaser(1);

  private PayloadServer(String[] arguments) throws IOException {
    payload = Files.readAllBytes(Path.of(arguments[2]));
    head =
        "HTTP/1.1 200 OK\r\nX-Backend: "
            + arguments[1]
            + "\r\nConnection: close\r\nContent-Length: "
            + payload.length
            + "\r\n\r\n";
    stall = Path.of(arguments[3]);
  }

  public static void main(String[] arguments) throws Exception {
    PayloadServer server = new PayloadServer(arguments);
    InetSocketAddress tcp = new InetSocketAddress(0);
    AutoCloseable listener =
        switch (arguments[0]) {
          case "socket" -> server.socket(tcp);
          case "http" -> server.http(tcp, arguments[1]);
          case "netty-epoll" -> server.netty(EpollServerSocketChannel.class, tcp);
          case "netty-adapter" ->
              server.netty(HandOffServerChannel.class, new DomainSocketAddress(arguments[4]));
          default -> throw new IllegalArgumentException(arguments[0]);
        };
    Runtime.getRuntime().addShutdownHook(new Thread(() -> server.end(listener)));
    System.out.println("serving");
    Thread.currentThread().join();
  }

  private void end(AutoCloseable listener) {
    try {
      listener.close();
    } catch (Exception e) {
      System.err.println("ending: " + e);
    }
    underWay.arriveAndAwaitAdvance();
  }

  private static void log(String requestLine) {
    // SteadyLoad's requests have numbers, by which a test finds what was served twice.
    System.out.println("\"" + requestLine);
  }

  private AutoCloseable socket(InetSocketAddress address) throws IOException {
    ServerSocket server = new ServerSocket();
    server.bind(address);
    Thread acceptor = Thread.ofPlatform().daemon().start(() -> accept(server));
    return () -> {
      server.close();
      acceptor.join();
    };
  }

  private void accept(ServerSocket server) {
    while (true) {
      try {
        while (Files.exists(stall)) {
          Thread.sleep(10);
        }
        Socket client = server.accept();
        underWay.register();
        Thread.startVirtualThread(() -> answer(client));
      } catch (IOException | InterruptedException e) {
        return;
      }
    }
  }

  private void answer(Socket client) {
    try (client) {
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII));
      String request = in.readLine();
      for (String line = request; line != null && !line.isEmpty(); line = in.readLine()) {
        // The head.
      }
      if (request != null) {
        log(request);
        client.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
        client.getOutputStream().write(payload);
      }
    } catch (IOException e) {
      // The client has left.
    } finally {
      underWay.arriveAndDeregister();
    }
  }

  private AutoCloseable http(InetSocketAddress address, String name) throws IOException {
    HttpServer server = HttpServer.create(address, 0);
    server.createContext(
        "/",
        exchange -> {
          log(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " HTTP/1.1");
          exchange.getResponseHeaders().add("X-Backend", name);
          exchange.sendResponseHeaders(200, payload.length);
          exchange.getResponseBody().write(payload);
          exchange.close();
        });
    server.start();
    return () -> server.stop(10);
  }

  private AutoCloseable netty(Class<? extends ServerChannel> type, SocketAddress address) {
    EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
    Channel channel =
        new ServerBootstrap()
            .group(loops)
            .channel(type)
            .handler(
                new ChannelInboundHandlerAdapter() {
                  @Override
                  public void channelRead(ChannelHandlerContext context, Object child) {
                    underWay.register();
                    ((Channel) child)
                        .closeFuture()
                        .addListener(closed -> underWay.arriveAndDeregister());
                    context.fireChannelRead(child);
                  }
                })
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel child) {
                    child.pipeline().addLast(new NettyAnswer());
                  }
                })
            .bind(address)
            .syncUninterruptibly()
            .channel();
    return () -> channel.close().sync();
  }

  private final class NettyAnswer extends SimpleChannelInboundHandler<ByteBuf> {
    private final StringBuilder request = new StringBuilder();

    @Override
    protected void channelRead0(ChannelHandlerContext context, ByteBuf bytes) {
      request.append(bytes.toString(StandardCharsets.US_ASCII));
      if (request.indexOf("\r\n\r\n") >= 0) {
        log(request.substring(0, request.indexOf("\r\n")));
        context.write(Unpooled.copiedBuffer(head, StandardCharsets.US_ASCII));
        context
            .writeAndFlush(Unpooled.wrappedBuffer(payload))
            .addListener(ChannelFutureListener.CLOSE);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // The client has left.
      context.close();
    }
  }
}
