package dev.peekpass.matrix;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/** Embedded Tomcat: HOST PORT PROTOCOL. */
final class TomcatServer {
  private TomcatServer() {}

  public static void main(String[] arguments) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(Files.createTempDirectory("tomcat").toString());
    Connector connector = new Connector(arguments[2]);
    connector.setProperty("address", arguments[0]);
    connector.setPort(Integer.parseInt(arguments[1]));
    // Above the number of requests on one connection that the tests make.
    connector.setProperty("maxKeepAliveRequests", "-1");
    tomcat.getService().addConnector(connector);
    tomcat.setConnector(connector);
    Context context = tomcat.addContext("", null);
    Tomcat.addServlet(context, "app", new App()).addMapping("/*");
    tomcat.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(tomcat)));
    System.out.println("ready");
    tomcat.getServer().await();
  }

  private static void stop(Tomcat tomcat) {
    try {
      tomcat.stop();
    } catch (org.apache.catalina.LifecycleException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final class App extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      switch (request.getRequestURI()) {
        case "/big" -> {
          response.setContentLengthLong(Payload.BYTES);
          Payload.write(response.getOutputStream());
        }
        case "/sum" -> response.getWriter().print(Payload.sum(request.getInputStream()));
        default ->
            response.getWriter().print(request.getRemoteAddr() + ":" + request.getRemotePort());
      }
    }
  }
}
