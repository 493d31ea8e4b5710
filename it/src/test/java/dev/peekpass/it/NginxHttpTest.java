package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** nginx's http behind the proxy: after the hand-off everything is as on TCP. */
@Tag("processes")
class NginxHttpTest {
  private static final String CLIENT = "127.0.0.2";
  private static final String DENIED = "127.0.0.3";
  private static final int BIG_BYTES = 100_000_000;

  private static final String BODY =
      NginxDeployment.WHO
          + """
          server_name shop.example.test;
          root html;
          location = /acl { deny 127.0.0.3; allow all; alias html/index.html; }
          location = /limited { limit_conn clients 1; limit_rate 1k; alias html/slow; }
          location = /upstream { client_max_body_size 10m; proxy_pass http://unix:UPSTREAM; }
          location /relative/ { absolute_redirect off; alias html/; }
          location /portless/ { port_in_redirect off; alias html/; }
          """;

  private static final String OTHER =
      """
      server_name other.example.test;
      location / { return 200 "the other of $ssl_server_name\\n"; }
      """;

  @TempDir private static Path dir;
  private static @Nullable NginxDeployment started;
  private final NginxDeployment nginx = NginxDeployment.started(started);

  @BeforeAll
  static void start() throws IOException {
    Tool.require("openssl");
    Tool.require("curl");
    NginxModule.require();
    Path html = Files.createDirectories(dir.resolve("html"));
    Files.createDirectories(html.resolve("sub"));
    Files.writeString(html.resolve("index.html"), "<h1>nginx</h1>\n");
    Files.writeString(html.resolve("slow"), "x".repeat(100_000));
    writeBig(html.resolve("big"));
    String upstream = dir.resolve("upstream.sock").toString();
    String body = BODY.replace("UPSTREAM", upstream);
    String realip =
        """
        set_real_ip_from 127.0.0.0/8;
        real_ip_header proxy_protocol;
        location / {
          return 200 "$remote_addr $remote_port $realip_remote_addr $realip_remote_port \
        $proxy_protocol_server_port $server_port\\n";
        }
        """;
    started =
        NginxDeployment.in(dir)
            .tls()
            .more(
                "http",
                """
                sendfile on;
                tcp_nopush on;
                limit_conn_zone $binary_remote_addr zone=clients:1m;
                # A UNIX listen that no peekpass directive names stays what it is.
                server {
                  listen unix:UPSTREAM;
                  client_max_body_size 10m;
                  location / { return 200 "$content_length bytes\\n"; }
                }
                """
                    .replace("UPSTREAM", upstream))
            .http("http", "", body)
            .http("https", "ssl http2", body)
            .http("h2c", "http2", body)
            .service("realip", "http", "127.0.0.1", "proxy_protocol", realip)
            .service("six", "http", "[::1]", "", body)
            .virtualHost("https", OTHER)
            .start();
  }

  /** Sparse, with marks that a shifted or torn copy would not have in their places. */
  private static void writeBig(Path file) throws IOException {
    try (RandomAccessFile big = new RandomAccessFile(file.toFile(), "rw")) {
      big.setLength(BIG_BYTES);
      for (long at = 0; at < BIG_BYTES - Long.BYTES; at += 1_000_003) {
        big.seek(at);
        big.writeLong(~at);
      }
    }
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  private Client client(String from, String service, String method) throws IOException {
    return new Client(from, nginx.address(service, method));
  }

  @EveryMethod
  void httpKnowsTheAddressesOfTheClientsOwnSocket(String method) throws IOException {
    try (Client client = client(CLIENT, "http", method)) {
      client.send(Client.get("/who"));

      assertThat(client.response()).startsWith(client.who() + "http HTTP/1.1 1 ");
    }
  }

  @EveryMethod
  void aThousandRequestsGoOverOneConnection(String method) throws IOException {
    try (Client client = client(CLIENT, "http", method)) {
      for (int i = 1; i <= 1000; i++) {
        client.send(Client.get("/who"));

        assertThat(client.response()).startsWith(client.who() + "http HTTP/1.1 " + i + " ");
      }
    }
  }

  @EveryMethod
  void httpsKnowsThemToo(String method) throws IOException {
    Running.Done done =
        nginx.curl(
            "https",
            method,
            "--interface",
            CLIENT,
            "-w",
            "%{local_port} %{num_connects}\n",
            nginx.url("https", "https", method, "/who"),
            nginx.url("https", "https", method, "/who"));

    String who = done.output().lines().findFirst().orElse("");
    String port = who.split(" ", -1).length > 1 ? who.split(" ", -1)[1] : "none: " + done.errors();
    String expected = "127\\.0\\.0\\.2 %1$s 127\\.0\\.0\\.1 %2$d https HTTP/1\\.1 ";
    assertThat(done.output())
        .as(done.errors())
        .matches(
            (expected + "1 \\d+\n%1$s 1\n" + expected + "2 \\d+\n%1$s 0\n")
                .formatted(port, nginx.port("https", method)));
  }

  @EveryMethod
  void http2OverTls(String method) throws IOException {
    expectHttp2("https", "https", method, "--http2");
  }

  @EveryMethod
  void http2InThePlain(String method) throws IOException {
    expectHttp2("http", "h2c", method, "--http2-prior-knowledge");
  }

  private void expectHttp2(String scheme, String service, String method, String version)
      throws IOException {
    Running.Done done =
        nginx.curl(
            service,
            method,
            version,
            "--interface",
            CLIENT,
            "-w",
            "%{http_version} %{local_port}\n",
            nginx.url(scheme, service, method, "/who"));

    assertThat(done.output())
        .as(done.errors())
        .matches(
            "127\\.0\\.0\\.2 (\\d+) 127\\.0\\.0\\.1 %d %s HTTP/2\\.0 1 \\d+\n2 \\1\n"
                .formatted(nginx.port(service, method), scheme));
  }

  @EveryMethod
  void opensslSpeaksTlsWithNginxItself(String method) throws IOException {
    Running.Done done =
        Running.run(
            nginx.workDir(),
            "openssl",
            "s_client",
            "-connect",
            "127.0.0.1:" + nginx.port("https", method),
            "-servername",
            NginxDeployment.NAME,
            "-alpn",
            "h2,http/1.1",
            "-CAfile",
            nginx.certificate().toString(),
            "-verify_return_error");

    assertThat(done.output())
        .as(done.errors())
        .contains("Verify return code: 0 (ok)")
        .contains("ALPN protocol: h2");
  }

  @EveryMethod
  void theServerNameChoosesTheVirtualServer(String method) throws IOException {
    int port = nginx.port("https", method);
    Running.Done done = nginx.curl("https", method, "https://other.example.test:" + port + "/");

    assertThat(done.output()).as(done.errors()).isEqualTo("the other of other.example.test\n");
  }

  @EveryMethod
  void overIpv6(String method) throws IOException {
    InetSocketAddress server =
        new InetSocketAddress(InetAddress.ofLiteral("::1"), nginx.port("six", method));
    try (Client client = new Client("::1", server)) {
      client.send(Client.get("/who"));

      assertThat(client.response())
          .startsWith(
              "::1 %d ::1 %d http HTTP/1.1 1 "
                  .formatted(client.socket.getLocalPort(), server.getPort()));
    }
  }

  @EveryMethod
  void aHundredMegabytesAreSentWhole(String method) throws Exception {
    String digest = digest(dir.resolve("html/big"));
    for (String scheme : List.of("http", "https")) {
      // Not into a file: that would be a test of the disk.
      Running.Done done =
          Running.run(
              nginx.workDir(),
              "bash",
              "-c",
              "set -o pipefail; \"$@\" | sha256sum",
              "bash",
              "curl",
              "-sSk",
              "-m",
              "80",
              "--resolve",
              NginxDeployment.NAME + ":" + nginx.port(scheme, method) + ":127.0.0.1",
              nginx.url(scheme, scheme, method, "/big"));

      assertThat(done.status()).as(done.errors()).isZero();
      assertThat(done.output()).as(scheme).startsWith(digest);
    }
  }

  private static String digest(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[1 << 16];
      for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
        digest.update(chunk, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  @EveryMethod
  void allowAndDenyTakeTheClientsAddress(String method) throws IOException {
    assertThat(status("http", method, DENIED, "/acl")).isEqualTo("403");
    assertThat(status("http", method, CLIENT, "/acl")).isEqualTo("200");
  }

  private String status(String service, String method, String from, String path)
      throws IOException {
    try (Client client = client(from, service, method)) {
      client.send(Client.get(path, "Connection: close"));
      return client.line().split(" ", -1)[1];
    }
  }

  @EveryMethod
  void limitConnCountsAClientsConnections(String method) throws IOException {
    // Nobody's that an earlier test may have left, and nginx not yet noticed.
    String own =
        "127.0.4." + (1 + List.of("tcp", "once", "persistent", "datagram").indexOf(method));
    try (Client slow = client(own, "http", method)) {
      slow.send(Client.get("/limited"));
      assertThat(slow.line()).startsWith("HTTP/1.1 200 ");

      assertThat(status("http", method, own, "/limited")).as("a second").isEqualTo("503");
      try (Client another = client(own.replace("127.0.4.", "127.0.5."), "http", method)) {
        another.send(Client.get("/limited"));
        assertThat(another.line()).as("another client").startsWith("HTTP/1.1 200 ");
      }
      slow.reset();
      Running.await(
          "the place is free again",
          () -> {
            try {
              return status("http", method, own, "/limited").equals("200");
            } catch (IOException e) {
              throw new AssertionError(e);
            }
          });
    }
  }

  @EveryMethod
  void aPathThatIsADirectoryIsRedirected(String method) throws IOException {
    String own = "http://" + NginxDeployment.NAME + ":" + nginx.port("http", method);

    assertThat(location(method, "/sub")).as("with its port").isEqualTo(own + "/sub/");
    assertThat(location(method, "/portless/sub"))
        .as("port_in_redirect off")
        .isEqualTo("http://" + NginxDeployment.NAME + "/portless/sub/");
    assertThat(location(method, "/relative/sub"))
        .as("absolute_redirect off")
        .isEqualTo("/relative/sub/");
  }

  private String location(String method, String path) throws IOException {
    try (Client client = client(CLIENT, "http", method)) {
      client.send(Client.get(path, "Connection: close"));
      var matcher = Pattern.compile("\nLocation: (.*)\r\n").matcher(client.readAll());
      return matcher.find() ? matcher.group(1) : "none";
    }
  }

  @EveryMethod
  void realipReadsThePROXYHeaderThatTheClientSent(String method) throws IOException {
    try (Client client = client(CLIENT, "realip", method)) {
      client.send("PROXY TCP4 192.0.2.7 203.0.113.9 5555 443\r\n" + Client.get("/"));

      assertThat(client.response())
          .isEqualTo(
              "192.0.2.7 5555 %s %d 443 %d\n"
                  .formatted(CLIENT, client.socket.getLocalPort(), nginx.port("realip", method)));
    }
  }

  @EveryMethod
  void aBodyIsReadAndPassedOn(String method) throws IOException {
    Path body = nginx.workDir().resolve("body");
    Files.writeString(body, "b".repeat(3_000_000));
    Running.Done done =
        nginx.curl(
            "http",
            method,
            "--data-binary",
            "@" + body,
            nginx.url("http", "http", method, "/upstream"));

    assertThat(done.output()).as(done.errors()).isEqualTo("3000000 bytes\n");
  }
}
