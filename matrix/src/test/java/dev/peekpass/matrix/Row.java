package dev.peekpass.matrix;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One server of the matrix.
 *
 * @param id of its route, its socket and its log
 * @param server as the table names it
 * @param way how it takes connections
 * @param protocol that the test talks to it
 * @param program what starts it, behind java and its flags; {@code PORT}, {@code SOCKET} and {@code
 *     KEYS} stand for what is known only later
 */
record Row(
    String id, String server, Way way, Protocol protocol, boolean jni, List<String> program) {
  /** The port that servers with the agent are told to bind. Nobody does. */
  static final int PORT = 8443;

  /** How a server takes handed-off connections. */
  enum Way {
    AGENT,
    ADAPTER
  }

  /** What is spoken. */
  enum Protocol {
    HTTP,
    HTTPS,
    H2,
    GRPC,
    ECHO
  }

  private static Row agent(
      String id, String server, Protocol protocol, Class<?> main, String... more) {
    return new Row(id, server, Way.AGENT, protocol, false, program(main, "PORT", more));
  }

  private static List<String> program(Class<?> main, String where, String... more) {
    List<String> program = new ArrayList<>(List.of("-cp", System.getProperty("java.class.path")));
    program.addAll(List.of(main.getName(), "127.0.0.1", where));
    program.addAll(List.of(more));
    return program;
  }

  private Row withJni() {
    return new Row(id, server, way, protocol, true, program);
  }

  static List<Row> all() {
    String nio = "org.apache.coyote.http11.Http11NioProtocol";
    String nio2 = "org.apache.coyote.http11.Http11Nio2Protocol";
    String jdk = "JDK " + Runtime.version().feature();
    return List.of(
        agent("jdk", jdk + " HttpServer", Protocol.HTTP, JdkServer.class),
        agent("jdk-tls", jdk + " HttpsServer", Protocol.HTTPS, JdkServer.class, "KEYS"),
        agent("jetty", "Jetty " + version("jetty"), Protocol.HTTP, JettyServer.class),
        agent(
            "jetty-h2",
            "Jetty " + version("jetty") + ", TLS and HTTP/2",
            Protocol.H2,
            JettyServer.class,
            "KEYS"),
        agent(
            "tomcat-nio",
            "Tomcat " + version("tomcat") + ", NIO",
            Protocol.HTTP,
            TomcatServer.class,
            nio),
        agent(
            "tomcat-nio2",
            "Tomcat " + version("tomcat") + ", NIO2",
            Protocol.HTTP,
            TomcatServer.class,
            nio2),
        new Row(
            "spring-boot",
            "Spring Boot " + version("boot") + ", fat jar",
            Way.AGENT,
            Protocol.HTTP,
            false,
            List.of("-jar", "BOOT", "--server.address=127.0.0.1", "--server.port=PORT")),
        agent("undertow", "Undertow " + version("undertow"), Protocol.HTTP, UndertowServer.class),
        agent("helidon", "Helidon SE " + version("helidon"), Protocol.HTTP, HelidonServer.class),
        agent(
            "netty-nio",
            "Netty " + version("netty") + ", NIO",
            Protocol.HTTP,
            NettyServer.class,
            "nio"),
        agent(
                "netty-epoll",
                "Netty " + version("netty") + ", epoll",
                Protocol.HTTP,
                NettyServer.class,
                "epoll")
            .withJni(),
        new Row(
            "netty-adapter",
            "Netty " + version("netty") + ", epoll",
            Way.ADAPTER,
            Protocol.HTTP,
            true,
            program(NettyServer.class, "SOCKET", "adapter")),
        agent("vertx", "Vert.x " + version("vertx") + ", epoll", Protocol.HTTP, VertxServer.class)
            .withJni(),
        agent(
                "grpc",
                "gRPC " + version("grpc") + ", shaded Netty, epoll",
                Protocol.GRPC,
                GrpcServer.class,
                "KEYS")
            .withJni(),
        agent("echo", jdk + " ServerSocket", Protocol.ECHO, EchoServer.class));
  }

  private static String version(String name) {
    for (String pair : System.getProperty("matrix.versions", "").split(" ", -1)) {
      if (pair.startsWith(name + "=")) {
        return pair.substring(name.length() + 1).replace(".Final", "");
      }
    }
    throw new AssertionError("no version of " + name);
  }

  /** The words that start it behind a proxy. */
  List<String> command(Path root, Path socket, Path keyStore) {
    return command(root, String.valueOf(PORT), socket, keyStore, way == Way.AGENT);
  }

  /** The words that start it on a TCP port of its own. */
  List<String> plain(Path root, int port, Path keyStore) {
    return command(root, String.valueOf(port), keyStore, keyStore, false);
  }

  private List<String> command(
      Path root, String port, Path socket, Path keyStore, boolean withAgent) {
    List<String> command =
        new ArrayList<>(
            List.of(
                System.getProperty("java.home") + "/bin/java",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "--illegal-native-access=deny"));
    if (jni) {
      // For Netty's own native code, and the adapter's; the agent needs nothing.
      command.add("--enable-native-access=ALL-UNNAMED");
    }
    // Another agent, to be tried beside ours: words that stand before or behind it.
    command.addAll(words("peekpass.matrix.before"));
    if (withAgent) {
      command.add(
          "-javaagent:"
              + root.resolve("agent/target/peekpass-agent.jar")
              + "=127.0.0.1:"
              + port
              + "=unix:"
              + socket);
    }
    command.addAll(words("peekpass.matrix.behind"));
    for (String word : program) {
      command.add(
          switch (word) {
            case "SOCKET" -> socket.toString();
            case "KEYS" -> keyStore.toString();
            case "BOOT" -> root.resolve("matrix-boot/target/app.jar").toString();
            default -> word.replace("PORT", port);
          });
    }
    return command;
  }

  private static List<String> words(String property) {
    String words = System.getProperty(property, "");
    return words.isBlank() ? List.of() : List.of(words.strip().split(" +", -1));
  }

  @Override
  public String toString() {
    return id;
  }
}
