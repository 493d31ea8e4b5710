package dev.peekpass.matrix;

import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** Jetty's core server: HOST PORT [KEYSTORE], then TLS with h2 and HTTP/1.1. */
final class JettyServer {
  private JettyServer() {}

  public static void main(String[] arguments) throws Exception {
    Server server = new Server();
    ServerConnector connector =
        arguments.length > 2 ? tls(server, arguments[2]) : new ServerConnector(server, 1, 1);
    connector.setHost(arguments[0]);
    connector.setPort(Integer.parseInt(arguments[1]));
    server.addConnector(connector);
    server.setHandler(new App());
    server.setStopAtShutdown(true);
    server.start();
    System.out.println("ready");
  }

  private static ServerConnector tls(Server server, String keyStore) {
    HttpConfiguration configuration = new HttpConfiguration();
    configuration.addCustomizer(new SecureRequestCustomizer());
    SslContextFactory.Server tls = new SslContextFactory.Server();
    tls.setKeyStorePath(keyStore);
    tls.setKeyStorePassword(Tls.PASSWORD);
    HttpConnectionFactory http = new HttpConnectionFactory(configuration);
    ALPNServerConnectionFactory alpn = new ALPNServerConnectionFactory();
    alpn.setDefaultProtocol(http.getProtocol());
    return new ServerConnector(
        server,
        1,
        1,
        new SslConnectionFactory(tls, alpn.getProtocol()),
        alpn,
        new HTTP2ServerConnectionFactory(configuration),
        http);
  }

  private static final class App extends Handler.Abstract {
    @Override
    public boolean handle(Request request, Response response, Callback callback) throws Exception {
      switch (Request.getPathInContext(request)) {
        case "/big" -> {
          response.getHeaders().put("Content-Length", Payload.BYTES);
          try (var out = Content.Sink.asOutputStream(response)) {
            Payload.write(out);
          }
          callback.succeeded();
        }
        case "/sum" -> {
          try (var in = Content.Source.asInputStream(request)) {
            Content.Sink.write(response, true, Payload.sum(in), callback);
          }
        }
        default ->
            Content.Sink.write(
                response,
                true,
                Request.getRemoteAddr(request) + ":" + Request.getRemotePort(request),
                callback);
      }
      return true;
    }
  }
}
