package dev.peekpass.it;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A directory, a proxy, and a {@code peekpass serve} of the directory behind it. */
final class Site implements AutoCloseable {
  static final String NAME = "shop.example.test";

  /** Large enough that a download is under way while something happens to the proxy. */
  static final long BIG_BYTES = 1L << 30;

  final Path dir;
  final Path certificate;
  final Running server;
  Running proxy;
  private final String yaml;

  /**
   * Starts both.
   *
   * @param method of the hand-off
   */
  Site(Path dir, String method) throws IOException {
    this(dir, method, "");
  }

  /**
   * Starts both.
   *
   * @param keys further ones of the first listener, each behind a comma
   */
  Site(Path dir, String method, String keys) throws IOException {
    this.dir = dir;
    Path site = Files.createDirectories(dir.resolve("site"));
    Files.writeString(site.resolve("index.html"), "<h1>the shop</h1>\n");
    try (RandomAccessFile big = new RandomAccessFile(site.resolve("big").toFile(), "rw")) {
      // Sparse, with marks that a shifted or torn copy would not have in their places.
      big.setLength(BIG_BYTES);
      for (long at = 0; at < BIG_BYTES; at += 10_000_019) {
        big.seek(at);
        big.writeLong(at);
      }
    }
    TestCertificate made = TestCertificate.make(dir, NAME);
    certificate = made.certificate();
    Path socket = dir.resolve("shop.sock");
    server = serve(site, socket, made.key(), socketType(method));
    yaml =
        """
        access-log: true
        listeners:
          - { bind: "127.0.0.1:0"%s }
          - { bind: "127.0.0.1:0" }
        backends:
          shop: { handoff: "unix:%s", method: %s }
        routes:
          - { host: %s, backend: shop }
        """
            .formatted(keys, socket, method, NAME);
    proxy = Running.proxy(dir, yaml);
  }

  /** What a server binds for a method, as {@code --socket-type} names it. */
  static String socketType(String method) {
    return switch (method) {
      case "once", "persistent" -> "stream";
      case "datagram" -> "datagram";
      default -> "acknowledged";
    };
  }

  private Running serve(Path site, Path socket, Path key, String socketType) throws IOException {
    List<String> command = new ArrayList<>(List.of("serve", "--socket-type", socketType));
    command.addAll(
        List.of(
            site.toString(),
            "--handoff",
            "unix:" + socket,
            "--tls-cert",
            certificate.toString(),
            "--tls-key",
            key.toString(),
            "--whoami"));
    Running running = Running.peekpass(dir, "serve", command.toArray(String[]::new));
    running.awaitOutput("the socket is there", () -> Files.exists(socket));
    return running;
  }

  /** Starts a proxy anew, after the last one has ended; on ports of its own. */
  void restartProxy() throws IOException {
    proxy.close();
    proxy = Running.proxy(dir, yaml);
  }

  int port() {
    return proxy.port(0);
  }

  String resolve() {
    return NAME + ":" + port() + ":127.0.0.1";
  }

  String https(String path) {
    return "https://" + NAME + ":" + port() + path;
  }

  String http(String path) {
    return "http://" + NAME + ":" + port() + path;
  }

  /** Runs curl against the site. */
  Running.Done curl(String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(List.of("curl", "-sS", "-m", "80", "--cacert", certificate.toString()));
    command.addAll(List.of("--resolve", resolve()));
    command.addAll(List.of(arguments));
    return Running.run(dir, command.toArray(String[]::new));
  }

  @Override
  public void close() {
    proxy.close();
    server.close();
  }
}
