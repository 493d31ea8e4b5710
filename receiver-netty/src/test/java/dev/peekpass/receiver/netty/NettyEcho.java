package dev.peekpass.receiver.netty;

import dev.peekpass.receiver.ReceiverBuilder;
import dev.peekpass.receiver.SocketType;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** A Netty server that sends back what it gets, and remembers its children. */
final class NettyEcho implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 60;

  final EventLoopGroup bosses = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  final EventLoopGroup workers = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
  final BlockingQueue<Channel> children = new LinkedBlockingQueue<>();

  private volatile UnaryOperator<ReceiverBuilder> settings =
      builder -> builder.type(SocketType.STREAM);

  /** What a user writes, but for one line. */
  final ServerBootstrap bootstrap =
      new ServerBootstrap()
          .group(bosses, workers)
          .channelFactory(() -> new HandOffServerChannel(builder -> settings.apply(builder)))
          .childOption(ChannelOption.TCP_NODELAY, true)
          .childOption(ChannelOption.SO_KEEPALIVE, true)
          .childHandler(
              new ChannelInitializer<>() {
                @Override
                protected void initChannel(Channel child) {
                  child.pipeline().addLast(new Echo());
                  children.add(child);
                }
              });

  HandOffServerChannel bind(Path path) throws InterruptedException {
    return (HandOffServerChannel)
        bootstrap.bind(new DomainSocketAddress(path.toString())).sync().channel();
  }

  NettyEcho with(UnaryOperator<ReceiverBuilder> chosen) {
    settings = chosen;
    return this;
  }

  /** The next child. */
  Channel child() throws InterruptedException {
    Channel child = children.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    if (child == null) {
      throw new AssertionError("no child within " + PATIENCE_SECONDS + " s");
    }
    return child;
  }

  /** Lets the server channel's event loop do all that it was asked for and that is there. */
  void settle() throws InterruptedException {
    for (int i = 0; i < 10; i++) {
      bosses.next().submit(() -> {}).sync();
    }
  }

  @Override
  public void close() {
    for (EventLoopGroup group : List.of(bosses, workers)) {
      // With a quiet period of 0 Netty's loops may end without having closed their channels.
      group.shutdownGracefully(10, 10_000, TimeUnit.MILLISECONDS).awaitUninterruptibly();
    }
  }

  @SuppressWarnings("FutureReturnValueIgnored")
  private static final class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      context.writeAndFlush(message);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
