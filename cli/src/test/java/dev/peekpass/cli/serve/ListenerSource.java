package dev.peekpass.cli.serve;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Connections accepted from a free loopback port, in place of handed-off ones. */
final class ListenerSource implements ConnectionSource {
  private final ServerSocketChannel listener;

  ListenerSource() throws IOException {
    listener =
        ServerSocketChannel.open()
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1000);
  }

  int port() {
    return listener.socket().getLocalPort();
  }

  @Override
  public SocketChannel accept() throws IOException {
    return listener.accept();
  }

  @Override
  public void drain() throws IOException {
    listener.close();
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
