package dev.peekpass.matrix;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.it.Running;
import dev.peekpass.it.Tool;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests for another name on a connection that the proxy has handed off, with TLS and ALPN, as a
 * browser that coalesces connections sends them.
 */
class MisdirectedTest {
  @TempDir private Path dir;

  private static List<String> request(String protocol, int port, String... more) {
    List<String> request =
        new ArrayList<>(
            List.of(
                "-sS",
                "-m",
                "60",
                "--insecure",
                protocol,
                "-o",
                "/dev/null",
                "-w",
                "%{http_version} %{http_code} %{num_connects}\n",
                "--resolve",
                "shop.example:" + port + ":127.0.0.1",
                "--resolve",
                "news.example:" + port + ":127.0.0.1"));
    request.addAll(List.of(more));
    return request;
  }

  @Test
  void isAnsweredWith421AndTheConnectionGoesOn() throws Exception {
    Tool.require("curl");
    Path keys = dir.resolve("keys.p12");
    Running.Done made =
        Running.run(
            dir,
            System.getProperty("java.home") + "/bin/keytool",
            "-genkeypair",
            "-alias",
            "shop",
            "-keyalg",
            "EC",
            "-dname",
            "CN=shop.example",
            "-keystore",
            keys.toString(),
            "-storepass",
            Tls.PASSWORD);
    assertThat(made.status()).as(made.errors()).isZero();
    Path socket = dir.resolve("shop.sock");
    List<String> command =
        List.of(
            System.getProperty("java.home") + "/bin/java",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            System.getProperty("java.class.path"),
            NettyTlsServer.class.getName(),
            socket.toString(),
            keys.toString(),
            "shop.example",
            "news.example");
    try (Running server = Running.start(dir, "server", command);
        Running proxy =
            Running.proxy(
                dir,
                """
                listeners:
                  - { bind: "127.0.0.1:0" }
                backends:
                  shop: { handoff: "unix:%s" }
                routes:
                  - { host: [shop.example, news.example], backend: shop }
                """
                    .formatted(socket))) {
      server.awaitOutput("it is ready", () -> server.output().contains("ready"));
      int port = proxy.port(0);
      String url = "https://shop.example:" + port + "/";
      for (String protocol : List.of("--http2", "--http1.1")) {
        List<String> curl = new ArrayList<>(List.of("curl"));
        curl.addAll(request(protocol, port, url));
        curl.add("--next");
        curl.addAll(request(protocol, port, "-H", "Host: blog.example", "-d", "a body", url));
        curl.add("--next");
        // Routed here, too, but not what the handshake was for.
        curl.addAll(request(protocol, port, "-H", "Host: news.example", url));
        curl.add("--next");
        curl.addAll(request(protocol, port, url));
        curl.add("--next");
        curl.addAll(request(protocol, port, "https://news.example:" + port + "/"));
        Running.Done done = Running.run(dir, curl.toArray(String[]::new));
        String version = protocol.equals("--http2") ? "2" : "1.1";
        assertThat(done.output())
            .as(done.errors())
            .isEqualTo("V 200 1\nV 421 0\nV 421 0\nV 200 0\nV 200 1\n".replace("V", version));
      }
    }
  }
}
