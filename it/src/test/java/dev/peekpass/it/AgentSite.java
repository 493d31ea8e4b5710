package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.pki.ThrowAwayAuthority;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** A server with the agent in a process of its own, and a proxy before it. */
final class AgentSite implements AutoCloseable {
  static final Path AGENT = Running.ROOT.resolve("agent/target/peekpass-agent.jar");

  final Path socket;

  /** That the server binds, and that nothing listens on. */
  final int tcpPort;

  final Running server;
  final Running proxy;
  private final boolean tls;

  /**
   * Starts both.
   *
   * @param kind that {@link AgentServer} or {@link NettyServer} knows
   * @param method of the hand-off
   * @param modifiers of the agent's pair
   */
  AgentSite(Path dir, String kind, String method, String modifiers) throws IOException {
    tls = kind.equals("https");
    socket = dir.resolve("app.sock");
    tcpPort = freePort();
    List<String> program = program(dir, kind);
    program.add(Integer.toString(tcpPort));
    if (tls) {
      ThrowAwayAuthority.Issued issued =
          new ThrowAwayAuthority("test", Instant.now()).issue(Site.NAME);
      program.add(Files.writeString(dir.resolve("server.crt"), issued.certificatePem()).toString());
      program.add(Files.writeString(dir.resolve("server.key"), issued.keyPem()).toString());
    }
    String type =
        switch (method) {
          case "once", "persistent" -> "+stream";
          case "datagram" -> "+datagram";
          default -> "";
        };
    server = run(dir, "server", pair(tcpPort, socket) + type + modifiers, program);
    server.awaitOutput("it listens", () -> server.output().contains("listening "));
    proxy = Running.proxy(dir, yaml(socket, method));
  }

  /** A server's class path, class and kind. */
  static List<String> program(Path dir, String kind) throws IOException {
    List<String> program = new ArrayList<>();
    if (kind.startsWith("netty")) {
      // What Netty needs of the JVM by itself.
      program.add("--enable-native-access=ALL-UNNAMED");
      program.add("--sun-misc-unsafe-memory-access=allow");
    }
    boolean shaded = kind.equals("netty-shaded-epoll");
    program.add("-cp");
    program.add(shaded ? ShadedNetty.classPath(dir, classPath()) : classPath());
    program.add("dev.peekpass.it." + (kind.startsWith("netty") ? "NettyServer" : "AgentServer"));
    program.add(shaded ? "netty-epoll" : kind);
    return program;
  }

  /** That of the tests, without what would log. */
  static String classPath() {
    return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
        .filter(entry -> !entry.contains("slf4j") && !entry.contains("logback"))
        .collect(Collectors.joining(File.pathSeparator));
  }

  static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0)) {
      return free.getLocalPort();
    }
  }

  static String pair(int port, Path socket) {
    return "0.0.0.0:" + port + "=unix:" + socket;
  }

  static String yaml(Path socket, String method) {
    return """
    listeners:
      - { bind: "127.0.0.1:0" }
      - { bind: "[::1]:0" }
    backends:
      shop: { handoff: "unix:%s", method: %s }
    routes:
      - { host: %s, backend: shop }
    """
        .formatted(socket, method, Site.NAME);
  }

  /** Runs a program with the agent. */
  static Running run(Path dir, String name, String options, List<String> program)
      throws IOException {
    List<String> command = new ArrayList<>(java());
    command.add("-javaagent:" + AGENT + "=" + options);
    command.addAll(program);
    return Running.start(dir, name, command);
  }

  /** A JVM that lets nobody call native code: the agent needs no flag for what it does. */
  static List<String> java() {
    return List.of(
        System.getProperty("java.home") + "/bin/java",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "--illegal-native-access=deny");
  }

  /** A client without TLS. */
  static Client plain(int port) throws IOException {
    return new Client(new Socket(InetAddress.ofLiteral("127.0.0.1"), port));
  }

  Client client() throws IOException {
    return client(proxy.port(0), InetAddress.ofLiteral("127.0.0.1"));
  }

  Client client(int port, InetAddress address) throws IOException {
    return new Client(connect(port, address));
  }

  private Socket connect(int port, InetAddress address) throws IOException {
    Socket plain = new Socket(address, port);
    plain.setSoTimeout(60_000);
    if (!tls) {
      return plain;
    }
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {new TrustEveryone()}, null);
      SSLSocket secure =
          (SSLSocket) context.getSocketFactory().createSocket(plain, Site.NAME, port, true);
      SSLParameters parameters = secure.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName(Site.NAME)));
      secure.setSSLParameters(parameters);
      return secure;
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  /** Whose certificate it is, is not what is tested. */
  private static final class TrustEveryone implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }

  /** One connection of a client. */
  static final class Client implements AutoCloseable {
    final Socket socket;
    private final BufferedReader in;

    Client(Socket socket) throws IOException {
      this.socket = socket;
      in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
    }

    void send(String path) throws IOException {
      String head = "GET " + path + " HTTP/1.1\r\nHost: " + Site.NAME + "\r\n\r\n";
      socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    }

    /** The last line of the answer. */
    String receive() throws IOException {
      String status = in.readLine();
      assertThat(status).as("status line").startsWith("HTTP/1.1 200");
      for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
        // The length is that of the one line of the body.
      }
      return in.readLine();
    }

    String get(String path) throws IOException {
      send(path);
      return receive();
    }

    /** What the server shall see. */
    String address() {
      return socket.getLocalAddress().getHostAddress() + ":" + socket.getLocalPort();
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  @Override
  public void close() {
    proxy.close();
    server.close();
  }
}
