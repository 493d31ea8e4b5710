package dev.peekpass.receiver.netty;

import java.nio.file.Path;

/** An echo server to be run with a low limit of open descriptors; says when it has met it. */
final class Limited {
  private Limited() {}

  public static void main(String[] arguments) throws Exception {
    try (NettyEcho netty = new NettyEcho()) {
      HandOffServerChannel server = netty.bind(Path.of(arguments[0]));
      System.out.println("bound");
      while (server.statistics().waitsForRoom() < 3) {
        Thread.sleep(10);
      }
      System.out.println("paused");
      server.closeFuture().sync();
    }
  }
}
