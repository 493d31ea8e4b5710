package dev.peekpass.it;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketOption;
import java.net.SocketTimeoutException;
import java.net.StandardSocketOptions;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;

/** Prints all that listening sockets of every kind tell: {@code PORT}. */
final class Curious {
  private static final int IDLE_SECONDS = 33;

  private Curious() {}

  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[0]);
    for (String host : List.of("127.0.0.1", "0.0.0.0", "::", "::1")) {
      InetSocketAddress address = new InetSocketAddress(InetAddress.ofLiteral(host), port);
      try (ServerSocketChannel channel = ServerSocketChannel.open()) {
        channel.bind(address);
        ServerSocket socket = channel.socket();
        System.out.println(
            channel + " " + socket + " " + socket.getLocalPort() + " " + socket.getInetAddress());
        tell(channel);
      }
      try (AsynchronousServerSocketChannel channel = AsynchronousServerSocketChannel.open()) {
        tell(channel.bind(address));
      }
      try (ServerSocket socket = new ServerSocket()) {
        socket.bind(address);
        System.out.println(socket + " " + socket.getLocalSocketAddress() + " " + socket.isBound());
        socket.setOption(StandardSocketOptions.IP_TOS, AgentServer.TRAFFIC_CLASS);
        System.out.println(
            socket.getOption(StandardSocketOptions.IP_TOS) + " " + socket.getReuseAddress());
        socket.setSoTimeout(1);
        timeOut(socket);
      }
    }
    // A client that binds an address of a pair is left alone.
    try (Socket client = new Socket()) {
      client.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port));
      System.out.println(client.getLocalSocketAddress());
    }
  }

  private static void timeOut(ServerSocket socket) throws IOException {
    try (Socket nobody = socket.accept()) {
      System.out.println("accepted " + nobody);
    } catch (SocketTimeoutException e) {
      System.out.println(e);
    }
  }

  private static void tell(NetworkChannel channel) throws IOException {
    channel.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, IDLE_SECONDS);
    channel.setOption(StandardSocketOptions.SO_RCVBUF, AgentServer.RECEIVE_BUFFER_BYTES);
    System.out.println(channel.getLocalAddress());
    Set<SocketOption<?>> options = channel.supportedOptions();
    for (SocketOption<?> option :
        options.stream().sorted(Comparator.comparing(SocketOption::name)).toList()) {
      System.out.println(option.name() + "=" + channel.getOption(option));
    }
  }
}
