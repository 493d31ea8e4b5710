package dev.peekpass.matrix;

import io.undertow.Undertow;
import io.undertow.UndertowOptions;
import io.undertow.server.HttpServerExchange;
import io.undertow.server.handlers.BlockingHandler;
import io.undertow.util.Headers;
import java.io.IOException;

/** Undertow's core: HOST PORT. */
final class UndertowServer {
  private UndertowServer() {}

  public static void main(String[] arguments) {
    Undertow server =
        Undertow.builder()
            .addHttpListener(Integer.parseInt(arguments[1]), arguments[0])
            .setServerOption(UndertowOptions.MAX_ENTITY_SIZE, Payload.BYTES)
            .setHandler(new BlockingHandler(UndertowServer::handle))
            .build();
    server.start();
    Runtime.getRuntime().addShutdownHook(new Thread(server::stop));
    System.out.println("ready");
  }

  private static void handle(HttpServerExchange exchange) throws IOException {
    switch (exchange.getRequestPath()) {
      case "/big" -> {
        exchange.getResponseHeaders().put(Headers.CONTENT_LENGTH, Payload.BYTES);
        Payload.write(exchange.getOutputStream());
      }
      case "/sum" -> exchange.getResponseSender().send(Payload.sum(exchange.getInputStream()));
      default -> {
        var client = exchange.getSourceAddress();
        exchange
            .getResponseSender()
            .send(client.getAddress().getHostAddress() + ":" + client.getPort());
      }
    }
  }
}
