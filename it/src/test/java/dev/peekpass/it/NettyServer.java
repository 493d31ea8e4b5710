package dev.peekpass.it;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.NullUnmarked;

/**
 * As {@link AgentServer}, on Netty: {@code KIND PORT}. Written against what Netty 4.1 and 4.2
 * share, since a test runs it on a shaded 4.1, too.
 */
@NullUnmarked
@SuppressWarnings({"deprecation", "FutureReturnValueIgnored"})
final class NettyServer implements AgentServer.Listener {
  private final EventLoopGroup loops;
  private final Class<? extends ServerChannel> type;
  private final AgentServer.Answers answers;
  private Channel channel;

  NettyServer(
      EventLoopGroup loops, Class<? extends ServerChannel> type, InetSocketAddress address) {
    this.loops = loops;
    this.type = type;
    this.answers = new AgentServer.Answers(this, address);
  }

  public static void main(String[] arguments) throws Exception {
    InetSocketAddress address = new InetSocketAddress(Integer.parseInt(arguments[1]));
    boolean epoll = arguments[0].equals("netty-epoll");
    NettyServer server =
        epoll
            ? new NettyServer(new EpollEventLoopGroup(2), EpollServerSocketChannel.class, address)
            : new NettyServer(new NioEventLoopGroup(2), NioServerSocketChannel.class, address);
    server.open(address);
    System.out.println("listening " + server.local());
  }

  @Override
  public void open(InetSocketAddress address) throws IOException {
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(loops)
            .channel(type)
            .option(ChannelOption.SO_RCVBUF, AgentServer.RECEIVE_BUFFER_BYTES)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childOption(ChannelOption.IP_TOS, AgentServer.TRAFFIC_CLASS)
            .childHandler(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel child) {
                    child.pipeline().addLast(new Handler());
                  }
                });
    channel = bootstrap.bind(address).syncUninterruptibly().channel();
  }

  private final class Handler extends SimpleChannelInboundHandler<ByteBuf> {
    private final StringBuilder unread = new StringBuilder();

    @Override
    protected void channelRead0(ChannelHandlerContext context, ByteBuf bytes) {
      unread.append(bytes.toString(StandardCharsets.US_ASCII));
      for (int end = unread.indexOf("\r\n\r\n"); end >= 0; end = unread.indexOf("\r\n\r\n")) {
        String path = unread.substring(4, unread.indexOf(" ", 4));
        unread.delete(0, end + 4);
        SocketChannel child = (SocketChannel) context.channel();
        if (path.equals("/rebind")) {
          // Waits for the event loop, so not in it.
          Thread.ofPlatform().start(() -> answer(path, child));
        } else {
          answer(path, child);
        }
      }
    }

    private void answer(String path, SocketChannel child) {
      try {
        String options =
            " class "
                + child.config().getTrafficClass()
                + " buffer "
                + child.config().getReceiveBufferSize();
        String body = answers.answer(path, child.remoteAddress(), child.localAddress() + options);
        child.writeAndFlush(Unpooled.copiedBuffer(AgentServer.response(body)));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // The client has left.
      context.close();
    }
  }

  @Override
  public SocketAddress local() {
    return channel.localAddress();
  }

  @Override
  public int receiveBuffer(int bytes) {
    channel.config().setOption(ChannelOption.SO_RCVBUF, bytes);
    return channel.config().getOption(ChannelOption.SO_RCVBUF);
  }

  @Override
  public void close() {
    channel.close().syncUninterruptibly();
  }
}
