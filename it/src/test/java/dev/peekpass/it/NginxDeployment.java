package dev.peekpass.it;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * nginx and the proxy in front of it. Every service is there by each method of the hand-off, and by
 * {@code tcp}, on a port that nginx itself listens on.
 */
final class NginxDeployment implements AutoCloseable {
  static final String TCP = "tcp";
  static final List<String> METHODS = List.of("once", "persistent", "datagram");
  static final String NAME = Site.NAME;

  /** What tests ask for to learn what nginx knows of a connection. */
  static final String WHO =
      """
      location = /who {
        return 200 "$remote_addr $remote_port $server_addr $server_port $scheme $server_protocol \
      $connection_requests $pid\\n";
      }
      """;

  // Below the ports that the kernel gives to clients: nobody gets one while nginx starts.
  private static final int LOWEST_PORT = 12_000;
  private static final int PORTS = 20_000;

  final Path dir;
  final Nginx nginx;
  private final Path proxyDir;
  private final Map<String, Integer> ports;
  private final Path certificate;
  private final @Nullable Running proxy;

  private NginxDeployment(
      Path dir, Nginx nginx, @Nullable String yaml, Map<String, Integer> ports, Path certificate)
      throws IOException {
    this.dir = dir;
    this.nginx = nginx;
    this.ports = ports;
    this.certificate = certificate;
    proxyDir = Files.createDirectories(dir.resolve("proxy"));
    proxy = yaml == null ? null : Running.proxy(proxyDir, yaml);
  }

  /** The one that all tests of a class share, which has been started before them. */
  static NginxDeployment started(@Nullable NginxDeployment shared) {
    if (shared == null) {
      throw new AssertionError("started before all tests");
    }
    return shared;
  }

  /** A deployment in a directory, to be described. */
  static Builder in(Path dir) {
    return new Builder(dir);
  }

  /** What is to be deployed. */
  static final class Builder {
    private record Service(
        String name, String block, String address, String listen, boolean peek, String body) {}

    private final Path dir;
    private final List<Service> services = new ArrayList<>();
    private final Map<String, String> blocks = new LinkedHashMap<>();
    private final Map<String, String> virtualHosts = new HashMap<>();
    private List<String> methods = METHODS;
    private String main = "worker_processes 2;\n";
    private String events = "worker_connections 512;\n";
    private String directive = "";
    private boolean certificate;
    private boolean proxied = true;
    private boolean accessLog;

    private Builder(Path dir) {
      this.dir = dir;
    }

    /** Only these methods. */
    Builder methods(String... only) {
      methods = List.of(only);
      return this;
    }

    /** Directives of the main context. Default: two workers. */
    Builder main(String text) {
      main = text;
      return this;
    }

    /** The content of {@code events}. Default: 512 connections. */
    Builder events(String text) {
      events = text;
      return this;
    }

    /** Parameters for every {@code peekpass} directive. */
    Builder directive(String parameters) {
      directive = parameters;
      return this;
    }

    /** More of a block, {@code http}, {@code stream} or {@code mail}. */
    Builder more(String block, String text) {
      blocks.merge(block, text, String::concat);
      return this;
    }

    /** Another {@code server} block at the same sockets and port as a service. */
    Builder virtualHost(String service, String body) {
      virtualHosts.merge(service, "server {\nLISTEN" + body + "}\n", String::concat);
      return this;
    }

    /** Makes a certificate for {@link #NAME}, and uses it in all blocks. */
    Builder tls() {
      certificate = true;
      return this;
    }

    /** The proxy logs each connection. */
    Builder accessLog() {
      accessLog = true;
      return this;
    }

    /** Without the proxy: the test itself hands connections over. */
    Builder withoutProxy() {
      proxied = false;
      return this;
    }

    /** An HTTP service that the proxy routes to by name. */
    Builder http(String name, String listen, String body) {
      services.add(new Service(name, "http", "127.0.0.1", listen, true, body));
      return this;
    }

    /**
     * Another service, to which the proxy passes connections at once.
     *
     * @param block {@code http}, {@code stream} or {@code mail}
     * @param address what clients connect to, as in a {@code listen} directive
     * @param listen options of the {@code listen} directives
     * @param body of the {@code server} block
     */
    Builder service(String name, String block, String address, String listen, String body) {
      services.add(new Service(name, block, address, listen, false, body));
      return this;
    }

    private String socket(Service service, String method) {
      return "unix:" + dir.resolve(service.name() + "-" + method + ".sock");
    }

    /** Starts nginx, then the proxy. */
    NginxDeployment start() throws IOException {
      Path identity = dir.resolve("cert.pem");
      if (certificate) {
        TestCertificate made = TestCertificate.make(dir, NAME, "other.example.test");
        String use =
            "ssl_certificate %s;%nssl_certificate_key %s;%n"
                .formatted(made.certificate(), made.key());
        services.stream().map(Service::block).distinct().forEach(block -> more(block, use));
      }
      Map<String, Integer> ports = new HashMap<>();
      StringBuilder config = new StringBuilder(Nginx.preamble(dir));
      if (!main.contains("daemon ")) {
        config.append("daemon off;\n");
      }
      config.append(main);
      for (String block : List.of("stream", "mail")) {
        if (services.stream().anyMatch(service -> service.block().equals(block))) {
          Path module = NginxModule.require("ngx_" + block + "_module.so");
          config.insert(0, "load_module " + module + ";\n");
        }
      }
      for (Service service : services) {
        for (String method : methods) {
          config.append(
              "peekpass %s method=%s %s;%n".formatted(socket(service, method), method, directive));
        }
      }
      config.append("events {\n").append(events).append("}\n");
      for (String block : List.of("http", "stream", "mail")) {
        appendBlock(config, block, ports);
      }
      Nginx nginx = Nginx.start(dir, config.toString());
      boolean done = false;
      try {
        NginxDeployment deployment =
            new NginxDeployment(dir, nginx, proxied ? yaml() : null, ports, identity);
        if (proxied) {
          deployment.learnPorts(names());
        }
        done = true;
        return deployment;
      } finally {
        if (!done) {
          nginx.close();
        }
      }
    }

    private void appendBlock(StringBuilder config, String block, Map<String, Integer> ports)
        throws IOException {
      config.append(block).append(" {\n");
      if (block.equals("http")) {
        config.append(Nginx.httpPreamble(dir));
      }
      config.append(blocks.getOrDefault(block, ""));
      for (Service service : services) {
        if (!service.block().equals(block)) {
          continue;
        }
        StringBuilder listens = new StringBuilder();
        for (String method : methods) {
          listens.append("listen %s %s;%n".formatted(socket(service, method), service.listen()));
        }
        int port = freePort();
        ports.put(key(service.name(), TCP), port);
        listens.append("listen %s:%d %s;%n".formatted(service.address(), port, service.listen()));
        config.append("server {%n%s%s}%n".formatted(listens, service.body()));
        config.append(
            virtualHosts.getOrDefault(service.name(), "").replace("LISTEN", listens.toString()));
      }
      config.append("}\n");
      // An empty block would ask for a module that may not be installed.
      String empty = block + " {\n}\n";
      if (config.toString().endsWith(empty)) {
        config.setLength(config.length() - empty.length());
      }
    }

    private List<String> names() {
      List<String> names = new ArrayList<>();
      for (Service service : services) {
        for (String method : methods) {
          names.add(key(service.name(), method));
        }
      }
      return names;
    }

    private String yaml() {
      StringBuilder out = new StringBuilder("access-log: " + accessLog + "\nlisteners:\n");
      for (Service service : services) {
        for (String method : methods) {
          String backend = service.name() + "-" + method;
          String route =
              service.peek()
                  ? "routes: [{ host: \"*\", backend: %s }]".formatted(backend)
                  : "peek: none, fallback: " + backend;
          out.append("  - { bind: \"%s:0\", %s }%n".formatted(service.address(), route));
        }
      }
      out.append("backends:\n");
      for (Service service : services) {
        for (String method : methods) {
          // A machine that has too much to do must not make a connection wait for too long.
          out.append(
              "  %s-%s: { handoff: \"%s\", method: %s, hand-off-timeout: 60s, max-queue: 65536 }%n"
                  .formatted(service.name(), method, socket(service, method), method));
        }
      }
      return out.toString();
    }
  }

  /** A port that nobody has. */
  static int freePort() throws IOException {
    Random random = new Random();
    for (int attempt = 0; attempt < PORTS; attempt++) {
      int port = LOWEST_PORT + random.nextInt(PORTS);
      try (ServerSocket probe = new ServerSocket()) {
        probe.bind(new InetSocketAddress(port));
        return port;
      } catch (BindException e) {
        // Somebody has it: the next.
      }
    }
    throw new IOException("every port is taken");
  }

  private static String key(String service, String method) {
    return service + "-" + method;
  }

  private void learnPorts(List<String> names) {
    for (int i = 0; i < names.size(); i++) {
      ports.put(names.get(i), proxy().port(i));
    }
  }

  /** Where clients reach a service by a method. */
  int port(String service, String method) {
    Integer port = ports.get(key(service, method));
    if (port == null) {
      throw new AssertionError("no service " + service + " by " + method);
    }
    return port;
  }

  /** The same as an address. */
  InetSocketAddress address(String service, String method) {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), port(service, method));
  }

  /** The socket that a service takes connections at. */
  Path socket(String service, String method) {
    return dir.resolve(key(service, method) + ".sock");
  }

  /** The certificate to trust. */
  Path certificate() {
    return certificate;
  }

  /** A directory to run commands in. */
  Path workDir() {
    return proxyDir;
  }

  /** Runs curl, which knows {@link #NAME} and the service's port. */
  Running.Done curl(String service, String method, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of("curl", "-sS", "-m", "60", "--http1.1"));
    for (String name : List.of(NAME, "other.example.test")) {
      command.addAll(List.of("--resolve", name + ":" + port(service, method) + ":127.0.0.1"));
    }
    if (Files.exists(certificate)) {
      command.addAll(List.of("--cacert", certificate.toString()));
    }
    command.addAll(List.of(arguments));
    return Running.run(proxyDir, command.toArray(String[]::new));
  }

  /** The URL of a path of a service. */
  String url(String scheme, String service, String method, String path) {
    return scheme + "://" + NAME + ":" + port(service, method) + path;
  }

  /** The proxy. */
  Running proxy() {
    Running running = proxy;
    if (running == null) {
      throw new AssertionError("deployed without one");
    }
    return running;
  }

  /** Waits until the proxy, which has an access log, says that it has passed some clients. */
  void awaitPassed(List<Client> clients) {
    Running.await(
        "the proxy has passed " + clients.size() + " connections",
        () -> {
          List<String> passed =
              proxy().output().lines().filter(line -> line.contains("outcome=passed")).toList();
          return clients.stream()
              .map(Client::address)
              .allMatch(address ->
                  passed.stream().anyMatch(line -> line.contains("client=" + address + " ")));
        });
  }

  @Override
  public void close() {
    if (proxy != null) {
      proxy.close();
    }
    nginx.close();
  }
}
