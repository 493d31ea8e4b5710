package dev.peekpass.it;

import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerSocketChannel;
import java.net.InetSocketAddress;

/** {@link NettyServer} on the io_uring transport: {@code PORT}. */
final class IoUringServer {
  private IoUringServer() {}

  public static void main(String[] arguments) throws Exception {
    InetSocketAddress address = new InetSocketAddress(Integer.parseInt(arguments[0]));
    MultiThreadIoEventLoopGroup loops =
        new MultiThreadIoEventLoopGroup(1, IoUringIoHandler.newFactory());
    try {
      new NettyServer(loops, IoUringServerSocketChannel.class, address).open(address);
    } finally {
      loops.shutdownGracefully().syncUninterruptibly();
    }
  }
}
