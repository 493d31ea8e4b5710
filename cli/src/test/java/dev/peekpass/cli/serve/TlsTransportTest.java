package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.Curl;
import dev.peekpass.cli.pki.ServerIdentity;
import dev.peekpass.cli.pki.ThrowAwayAuthority;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TlsTransportTest {
  private static final String NAME = "shop.example.test";
  private static final String REQUEST =
      "GET /%s HTTP/1.1\r\nHost: " + NAME + "\r\nConnection: close\r\n\r\n";

  @TempDir private Path directory;
  private final byte[] content = new byte[3_000_000];
  private Path authorityFile;
  private SSLContext trusting;
  private RunningServer server;

  @BeforeEach
  void start() throws Exception {
    ThrowAwayAuthority authority = new ThrowAwayAuthority("throw-away", Instant.now());
    ThrowAwayAuthority.Issued issued = authority.issue(NAME);
    authorityFile = Files.writeString(directory.resolve("ca.pem"), authority.certificatePem());
    Path certificate = Files.writeString(directory.resolve("cert.pem"), issued.certificatePem());
    Path key = Files.writeString(directory.resolve("key.pem"), issued.keyPem());
    trusting = trusting(authority.certificatePem());
    Path site = Files.createDirectory(directory.resolve("site"));
    new SplittableRandom(3).nextBytes(content);
    Files.write(site.resolve("big"), content);
    Files.writeString(site.resolve("small"), "0123456789");
    server = new RunningServer(site, ServerIdentity.load(certificate, key), RunningServer.LIMITS);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private static SSLContext trusting(String pem) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setCertificateEntry(
        "ca",
        CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(pem.getBytes(US_ASCII))));
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private SSLSocket connect(Socket socket, String version, String... alpn) throws IOException {
    SSLSocket tls =
        (SSLSocket) trusting.getSocketFactory().createSocket(socket, NAME, server.port(), true);
    SSLParameters parameters = tls.getSSLParameters();
    parameters.setServerNames(List.of(new SNIHostName(NAME)));
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    parameters.setProtocols(new String[] {version});
    parameters.setApplicationProtocols(alpn);
    tls.setSSLParameters(parameters);
    tls.startHandshake();
    return tls;
  }

  private byte[] get(SSLSocket socket, String file) throws IOException {
    socket.getOutputStream().write(REQUEST.formatted(file).getBytes(US_ASCII));
    return socket.getInputStream().readAllBytes();
  }

  @ParameterizedTest
  @ValueSource(strings = {"TLSv1.2", "TLSv1.3"})
  void servesOverBothVersions(String version) throws IOException {
    try (SSLSocket socket = connect(server.connect(), version, "h2", "http/1.1")) {
      assertThat(socket.getApplicationProtocol()).isEqualTo("http/1.1");
      byte[] response = get(socket, "big");
      assertThat(new String(response, 0, 15, US_ASCII)).isEqualTo("HTTP/1.1 200 OK");
      assertThat(Arrays.copyOfRange(response, response.length - content.length, response.length))
          .isEqualTo(content);
    }
    assertThat(server.log()).singleElement().asString().endsWith(" tls=" + version);
  }

  @Test
  void whoamiTellsWhatTheHandshakeAgreedOn() throws IOException {
    try (SSLSocket socket = connect(server.connect(), "TLSv1.3", "http/1.1")) {
      assertThat(new String(get(socket, ".peekpass/whoami"), US_ASCII))
          .contains("\"remote\":\"127.0.0.1:" + socket.getLocalPort() + "\"")
          .contains("\"tls\":\"TLSv1.3\"")
          .contains("\"sni\":\"" + NAME + "\"")
          .contains("\"alpn\":\"http/1.1\"");
    }
  }

  @Test
  void plainHttpIsServedOnTheSameSocket() throws IOException {
    assertThat(server.exchangeOpen(REQUEST.formatted("small"))).endsWith("0123456789");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\u0016", "\u0016\u0003\u0001\u0000\u0004abcd", "\u0016GET / HTTP/1.1\r\n\r\n"})
  void brokenHandshakesAreOver(String sent) throws IOException {
    try (Socket socket = server.connect()) {
      socket.getOutputStream().write(sent.getBytes(ISO_8859_1));
      socket.shutdownOutput();
      byte[] answer = socket.getInputStream().readAllBytes();
      // Nothing, or an alert; never an HTTP response.
      assertThat(answer.length == 0 || answer[0] == 0x15).isTrue();
    }
  }

  @Test
  @Tag("processes")
  void closingSaysSoInTls() throws Exception {
    List<String> command = new ArrayList<>(openssl("-tls1_3"));
    command.add("-ign_eof");
    assertThat(Curl.output(command, REQUEST.formatted("small")))
        .contains("0123456789")
        .contains("closed")
        .doesNotContain("unexpected eof");
  }

  @ParameterizedTest
  @CsvSource({"-tls1_2, TLSv1.2", "-tls1_3, TLSv1.3"})
  @Tag("processes")
  void opensslSpeaksBothVersions(String option, String version) throws Exception {
    List<String> command = new ArrayList<>(openssl(option));
    command.add("-ign_eof");
    command.add("-alpn");
    command.add("h2,http/1.1");
    assertThat(Curl.output(command, REQUEST.formatted("small")))
        .contains("Verification: OK")
        .contains("New, " + version)
        .contains("ALPN protocol: http/1.1")
        .contains("0123456789");
  }

  private List<String> openssl(String version) {
    return List.of(
        "openssl",
        "s_client",
        "-connect",
        "127.0.0.1:" + server.port(),
        "-servername",
        NAME,
        "-verify_hostname",
        NAME,
        "-CAfile",
        authorityFile.toString(),
        version);
  }

  @Test
  @Tag("processes")
  void curlKeepsOneTlsConnectionForTwoRequests() throws Exception {
    String url = "https://" + NAME + ":" + server.port() + "/small";
    String resolve = NAME + ":" + server.port() + ":127.0.0.1";
    assertThat(
            Curl.run(
                "--cacert",
                authorityFile.toString(),
                "--resolve",
                resolve,
                "-w",
                "connects=%{num_connects}\n",
                url,
                url))
        .isEqualTo("0123456789connects=1\n0123456789connects=0\n");
  }
}
