package dev.peekpass.matrix;

import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Helidon SE: HOST PORT. */
final class HelidonServer {
  private HelidonServer() {}

  public static void main(String[] arguments) {
    HttpRouting.Builder routes =
        HttpRouting.builder()
            .get(
                "/whoami",
                (request, response) ->
                    response.send(request.remotePeer().host() + ":" + request.remotePeer().port()))
            .get("/big", HelidonServer::big)
            .post("/sum", HelidonServer::sum);
    WebServer.builder()
        .host(arguments[0])
        .port(Integer.parseInt(arguments[1]))
        .maxPayloadSize(-1)
        .routing(routes)
        .build()
        .start();
    System.out.println("ready");
  }

  private static void big(ServerRequest request, ServerResponse response) throws IOException {
    response.contentLength(Payload.BYTES);
    try (OutputStream out = response.outputStream()) {
      Payload.write(out);
    }
  }

  private static void sum(ServerRequest request, ServerResponse response) throws IOException {
    try (InputStream in = request.content().inputStream()) {
      response.send(Payload.sum(in));
    }
  }
}
