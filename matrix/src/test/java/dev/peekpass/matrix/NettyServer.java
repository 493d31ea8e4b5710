package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.peekpass.receiver.netty.HandOffServerChannel;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultFileRegion;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerKeepAliveHandler;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;

/** Netty: HOST PORT nio|epoll, or with the adapter - PATH adapter. */
@SuppressWarnings("FutureReturnValueIgnored")
final class NettyServer {
  private NettyServer() {}

  public static void main(String[] arguments) throws Exception {
    boolean nio = arguments[2].equals("nio");
    boolean adapter = arguments[2].equals("adapter");
    Path big = Files.createTempFile("big", "");
    try (OutputStream out = Files.newOutputStream(big)) {
      Payload.write(out);
    }
    big.toFile().deleteOnExit();
    IoHandlerFactory io = nio ? NioIoHandler.newFactory() : EpollIoHandler.newFactory();
    EventLoopGroup bosses = new MultiThreadIoEventLoopGroup(1, io);
    EventLoopGroup workers = new MultiThreadIoEventLoopGroup(2, io);
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(bosses, workers)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel child) {
                    child
                        .pipeline()
                        .addLast(
                            new HttpServerCodec(), new HttpServerKeepAliveHandler(), new App(big));
                  }
                });
    if (adapter) {
      bootstrap
          .channel(HandOffServerChannel.class)
          .bind(new DomainSocketAddress(arguments[1]))
          .sync();
    } else {
      bootstrap
          .channel(nio ? NioServerSocketChannel.class : EpollServerSocketChannel.class)
          .bind(arguments[0], Integer.parseInt(arguments[1]))
          .sync();
    }
    System.out.println("ready");
  }

  private static final class App extends SimpleChannelInboundHandler<HttpObject> {
    private final Path big;
    private Payload.Sum sum = new Payload.Sum();
    private String path = "";

    App(Path big) {
      this.big = big;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, HttpObject message)
        throws Exception {
      if (message instanceof HttpRequest request) {
        path = request.uri();
        sum = new Payload.Sum();
      }
      if (message instanceof HttpContent content) {
        sum.add(content.content().nioBuffer());
      }
      if (message instanceof LastHttpContent) {
        switch (path) {
          case "/big" -> sendFile(context);
          case "/sum" -> say(context, sum.toString());
          default -> {
            InetSocketAddress client = (InetSocketAddress) context.channel().remoteAddress();
            say(context, client.getAddress().getHostAddress() + ":" + client.getPort());
          }
        }
      }
    }

    private void sendFile(ChannelHandlerContext context) {
      HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
      HttpUtil.setContentLength(response, Payload.BYTES);
      context.write(response);
      context.write(new DefaultFileRegion(big.toFile(), 0, Payload.BYTES));
      context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
    }

    private static void say(ChannelHandlerContext context, String text) {
      ByteBuf body = Unpooled.copiedBuffer(text, US_ASCII);
      DefaultFullHttpResponse response =
          new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK, body);
      HttpUtil.setContentLength(response, body.readableBytes());
      context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
