package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * A plain ServerSocket, a virtual thread for each client; it greets, then sends back: HOST PORT.
 */
final class EchoServer {
  private EchoServer() {}

  public static void main(String[] arguments) throws IOException {
    try (ServerSocket server =
        new ServerSocket(Integer.parseInt(arguments[1]), 50, InetAddress.getByName(arguments[0]))) {
      System.out.println("ready");
      while (true) {
        Socket client = server.accept();
        Thread.startVirtualThread(() -> echo(client));
      }
    }
  }

  private static void echo(Socket client) {
    try (client) {
      String greeting = client.getInetAddress().getHostAddress() + ":" + client.getPort() + "\n";
      client.getOutputStream().write(greeting.getBytes(US_ASCII));
      client.getInputStream().transferTo(client.getOutputStream());
    } catch (IOException e) {
      // The client has left.
    }
  }
}
