package dev.peekpass.matrix;

import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Vert.x on Netty's native epoll: HOST PORT. */
@SuppressWarnings("FutureReturnValueIgnored")
final class VertxServer {
  private VertxServer() {}

  public static void main(String[] arguments) throws Exception {
    Path big = Files.createTempFile("big", "");
    try (OutputStream out = Files.newOutputStream(big)) {
      Payload.write(out);
    }
    big.toFile().deleteOnExit();
    Vertx vertx = Vertx.vertx(new VertxOptions().setPreferNativeTransport(true));
    if (!vertx.isNativeTransportEnabled()) {
      throw new IllegalStateException(
          "no native transport: " + vertx.unavailableNativeTransportCause());
    }
    vertx
        .createHttpServer()
        .requestHandler(request -> handle(request, big))
        .listen(Integer.parseInt(arguments[1]), arguments[0])
        .onSuccess(server -> System.out.println("ready"))
        .onFailure(Throwable::printStackTrace);
  }

  private static void handle(HttpServerRequest request, Path big) {
    switch (request.path()) {
      case "/big" -> request.response().sendFile(big.toString());
      case "/sum" -> {
        Payload.Sum sum = new Payload.Sum();
        request.handler((Buffer data) -> {
          byte[] bytes = data.getBytes();
          sum.add(bytes, bytes.length);
        });
        request.endHandler(end -> request.response().end(sum.toString()));
      }
      default ->
          request
              .response()
              .end(request.remoteAddress().hostAddress() + ":" + request.remoteAddress().port());
    }
  }
}
