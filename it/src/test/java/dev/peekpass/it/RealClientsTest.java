package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that people use, through the proxy to a real server. */
@Tag("processes")
class RealClientsTest {
  @TempDir private static Path dir;
  private static @Nullable Site started;
  private final Site site = opened();

  private static Site opened() {
    Site open = started;
    if (open == null) {
      throw new AssertionError("started before all tests");
    }
    return open;
  }

  @BeforeAll
  static void start() throws IOException {
    Tool.require("openssl");
    started = new Site(dir, "auto");
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  @Test
  void curlOverTls() throws IOException {
    Tool.require("curl");
    Running.Done done = site.curl("-w", "%{local_ip}:%{local_port}", site.https("/"));

    assertThat(done.output()).as(done.errors()).startsWith("<h1>the shop</h1>\n");
    // The backend has logged the client's own address and port.
    String client = done.output().substring(done.output().indexOf('\n') + 1);
    site.server.awaitOutput("it is logged", () -> site.server.output().contains(client + " "));
  }

  @ParameterizedTest
  @ValueSource(strings = {"--http1.0", "--http1.1"})
  void curlInThePlain(String version) throws IOException {
    Tool.require("curl");
    Running.Done done = site.curl(version, site.http("/"));

    assertThat(done.output()).as(done.errors()).isEqualTo("<h1>the shop</h1>\n");
  }

  @Test
  void curlKeepsItsConnectionAlive() throws IOException {
    Tool.require("curl");
    String connections = "%{num_connects} ";
    Running.Done done =
        site.curl(
            "-w",
            connections,
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            site.https("/"),
            site.https("/"));

    assertThat(done.output()).as("connections made by each request").isEqualTo("1 0 ");
  }

  @Test
  void curlForAnotherSiteIsToldSo() throws IOException {
    Tool.require("curl");
    Running.Done plain = site.curl("-i", "-H", "Host: other.example", site.http("/"));
    Running.Done tls =
        site.curl(
            "--resolve",
            "other.example:" + site.port() + ":127.0.0.1",
            "https://other.example:" + site.port() + "/");

    assertThat(plain.output()).startsWith("HTTP/1.1 421 Misdirected Request");
    assertThat(tls.errors()).contains("unrecognized name");
  }

  @ParameterizedTest
  @ValueSource(strings = {"-tls1_2", "-tls1_3"})
  void opensslWithAName(String version) throws IOException {
    Running.Done done = openssl(version, "-servername", Site.NAME, "-alpn", "h2,http/1.1");

    assertThat(done.output())
        .contains("subject=CN = " + Site.NAME)
        .contains("ALPN protocol: http/1.1");
  }

  @Test
  void opensslWithoutANameOrWithAnotherGetsTheAlert() throws IOException {
    assertThat(openssl("-noservername").errors()).contains("unrecognized name");
    assertThat(openssl("-servername", "other.example").errors()).contains("unrecognized name");
  }

  private Running.Done openssl(String... arguments) throws IOException {
    List<String> command =
        new java.util.ArrayList<>(
            List.of("openssl", "s_client", "-connect", "127.0.0.1:" + site.port()));
    command.addAll(List.of(arguments));
    return Running.run(dir, command.toArray(String[]::new));
  }

  private SSLContext trust() throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null);
    try (InputStream in = new FileInputStream(site.certificate.toFile())) {
      store.setCertificateEntry(
          "site", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  @ParameterizedTest
  @ValueSource(strings = {"http", "https"})
  void theJdksHttpClient(String scheme) throws Exception {
    try (HttpClient client = HttpClient.newBuilder().sslContext(trust()).build()) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(scheme + "://" + Site.NAME + ":" + site.port() + "/"))
              .build();
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());

      assertThat(response.statusCode()).isEqualTo(200);
      assertThat(response.body()).isEqualTo("<h1>the shop</h1>\n");
    }
  }

  @Test
  void theJdksTlsByteByByte() throws Exception {
    // The hello, and all that follows, goes out one byte a segment.
    try (OneByteRelay relay = new OneByteRelay(site.port());
        Socket tcp = new Socket(InetAddress.getLoopbackAddress(), relay.port());
        SSLSocket tls =
            (SSLSocket)
                trust().getSocketFactory().createSocket(tcp, Site.NAME, site.port(), true)) {
      SSLParameters parameters = tls.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName(Site.NAME)));
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      tls.setSSLParameters(parameters);
      String request = "GET / HTTP/1.1\r\nHost: " + Site.NAME + "\r\nConnection: close\r\n\r\n";
      tls.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));

      assertThat(new String(tls.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
          .startsWith("HTTP/1.1 200 ")
          .endsWith("<h1>the shop</h1>\n");
      assertThat(tls.getSession().getProtocol()).isEqualTo("TLSv1.3");
    }
  }

  /** Chromium's hello has a post-quantum key share and GREASE, and is larger than a segment. */
  @Test
  void chromium() throws IOException {
    Tool.require("chromium");
    assertThat(chromiumShows(site.port())).contains("<h1>the shop</h1>");
  }

  @Test
  void chromiumByteByByte() throws IOException {
    Tool.require("chromium");
    try (OneByteRelay relay = new OneByteRelay(site.port())) {
      assertThat(chromiumShows(relay.port())).contains("<h1>the shop</h1>");
    }
  }

  private static String chromiumShows(int port) throws IOException {
    Running.Done done =
        Running.run(
            dir,
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--ignore-certificate-errors",
            "--user-data-dir=" + Files.createTempDirectory(dir, "chromium"),
            "--host-resolver-rules=MAP " + Site.NAME + " 127.0.0.1",
            "--dump-dom",
            "https://" + Site.NAME + ":" + port + "/");
    return done.output();
  }

  /** The server does not speak it, but the proxy must route it: the backend's log shows it came. */
  @ParameterizedTest
  @ValueSource(strings = {"curl", "nghttp"})
  void http2WithPriorKnowledge(String client) throws IOException {
    Tool.require(client);
    if (client.equals("curl")) {
      site.curl("--http2-prior-knowledge", site.http("/"));
    } else {
      Running.run(
          dir,
          "nghttp",
          "--no-verify-peer",
          "-H:authority: " + Site.NAME,
          "-t",
          "5",
          "http://127.0.0.1:" + site.port() + "/");
    }
    site.proxy.awaitOutput(
        "it is routed",
        () ->
            site.proxy
                .output()
                .lines()
                .anyMatch(line ->
                    line.contains("protocol=h2 host=" + Site.NAME)
                        && line.contains("outcome=passed")));
  }
}
