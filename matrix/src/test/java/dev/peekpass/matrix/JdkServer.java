package dev.peekpass.matrix;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** {@code com.sun.net.httpserver}: HOST PORT [KEYSTORE]. */
final class JdkServer {
  private JdkServer() {}

  public static void main(String[] arguments) throws Exception {
    InetSocketAddress address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
    HttpServer server;
    if (arguments.length > 2) {
      HttpsServer https = HttpsServer.create(address, 0);
      https.setHttpsConfigurator(new HttpsConfigurator(Tls.context(arguments[2])));
      server = https;
    } else {
      server = HttpServer.create(address, 0);
    }
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", JdkServer::handle);
    server.start();
    System.out.println("ready");
  }

  private static void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      switch (exchange.getRequestURI().getPath()) {
        case "/big" -> {
          exchange.sendResponseHeaders(200, Payload.BYTES);
          Payload.write(exchange.getResponseBody());
        }
        case "/sum" -> say(exchange, Payload.sum(exchange.getRequestBody()));
        default -> {
          InetSocketAddress client = exchange.getRemoteAddress();
          say(exchange, client.getAddress().getHostAddress() + ":" + client.getPort());
        }
      }
    }
  }

  private static void say(HttpExchange exchange, String text) throws IOException {
    byte[] body = text.getBytes(US_ASCII);
    exchange.sendResponseHeaders(200, body.length);
    exchange.getResponseBody().write(body);
  }
}
