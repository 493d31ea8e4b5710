package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

/** nginx's stream and mail behind the proxy. In some of their protocols the server speaks first. */
@Tag("processes")
class NginxStreamAndMailTest {
  private static final String CLIENT = "127.0.0.2";
  private static final String FACTS =
      "return \"$remote_addr $remote_port $server_addr $server_port $protocol $pid\\n\";\n";

  @TempDir private static Path dir;
  private static @Nullable NginxDeployment started;
  private final NginxDeployment nginx = NginxDeployment.started(started);

  @BeforeAll
  static void start() throws IOException {
    Tool.require("openssl");
    NginxModule.require();
    String login = dir.resolve("login.sock").toString();
    int auth = NginxDeployment.freePort();
    started =
        NginxDeployment.in(dir)
            .tls()
            .more(
                "http",
                """
                server {
                  listen 127.0.0.1:%d;
                  location / { add_header Auth-Status "you are $http_client_ip"; return 200; }
                }
                server {
                  listen unix:%s;
                  location / { return 200 "from the upstream\\n"; }
                }
                """
                    .formatted(auth, login))
            .more("mail", "server_name mail.example.test;\nauth_http 127.0.0.1:" + auth + "/;\n")
            .service("stream", "stream", "127.0.0.1", "", FACTS)
            .service("streamtls", "stream", "127.0.0.1", "ssl", FACTS)
            .service("denied", "stream", "127.0.0.1", "", "deny " + CLIENT + ";\n" + FACTS)
            .service("relay", "stream", "127.0.0.1", "", "proxy_pass unix:" + login + ";\n")
            .service(
                "preread",
                "stream",
                "127.0.0.1",
                "",
                "ssl_preread on;\nreturn \"$ssl_preread_server_name $remote_port\\n\";\n")
            .service("smtp", "mail", "127.0.0.1", "", "protocol smtp;\nsmtp_auth none;\n")
            .service("imap", "mail", "127.0.0.1", "", "protocol imap;\n")
            .service("imaps", "mail", "127.0.0.1", "ssl", "protocol imap;\n")
            .start();
  }

  @AfterAll
  static void stop() {
    if (started != null) {
      started.close();
    }
  }

  private Client client(String service, String method) throws IOException {
    return new Client(CLIENT, nginx.address(service, method));
  }

  @EveryMethod
  void aStreamServerThatSpeaksFirstKnowsTheClientsAddress(String method) throws IOException {
    for (int i = 0; i < 20; i++) {
      try (Client client = client("stream", method)) {
        assertThat(client.readAll()).startsWith(client.who() + "TCP ");
      }
    }
  }

  @EveryMethod
  void aStreamServerDenies(String method) throws IOException {
    try (Client client = client("denied", method);
        Client other = new Client("127.0.0.3", nginx.address("denied", method))) {
      assertThat(client.readAll()).isEmpty();
      assertThat(other.readAll()).startsWith(other.who());
    }
  }

  @EveryMethod
  void aStreamServerProxiesBothWays(String method) throws IOException {
    try (Client client = client("relay", method)) {
      client.send(Client.get("/", "Connection: close"));

      assertThat(client.readAll()).startsWith("HTTP/1.1 200 OK").endsWith("from the upstream\n");
    }
  }

  @EveryMethod
  void aStreamServerSpeaksTls(String method) throws IOException {
    Running.Done done = openssl("streamtls", method, "");

    assertThat(done.output())
        .as(done.errors())
        .contains("Verify return code: 0 (ok)")
        .containsPattern(
            "127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 %d TCP \\d+\n"
                .formatted(nginx.port("streamtls", method)));
  }

  /** Runs a TLS client that sends some text, and ends when nginx closes. */
  private Running.Done openssl(String service, String method, String text) throws IOException {
    return Running.run(
        nginx.workDir(),
        "bash",
        "-c",
        "printf '%s' | openssl s_client -ign_eof -connect 127.0.0.1:%d -servername %s -CAfile %s"
            .formatted(
                text, nginx.port(service, method), NginxDeployment.NAME, nginx.certificate()));
  }

  @EveryMethod
  void aStreamServerPrereadsWhatTheProxyHasPeekedAt(String method) throws Exception {
    try (Client client = client("preread", method)) {
      client.socket.getOutputStream().write(hello());

      assertThat(client.readAll())
          .isEqualTo(NginxDeployment.NAME + " " + client.socket.getLocalPort() + "\n");
    }
  }

  private static byte[] hello() throws GeneralSecurityException, SSLException {
    SSLEngine engine = SSLContext.getDefault().createSSLEngine(NginxDeployment.NAME, 443);
    engine.setUseClientMode(true);
    ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    engine.wrap(ByteBuffer.allocate(0), hello);
    return Arrays.copyOf(hello.array(), hello.position());
  }

  @EveryMethod
  void smtpGreets(String method) throws IOException {
    try (Client client = client("smtp", method)) {
      assertThat(client.line()).isEqualTo("220 mail.example.test ESMTP ready\r\n");
      client.send("EHLO client.example\r\n");
      assertThat(client.line()).startsWith("250");
      client.send("QUIT\r\n");
      assertThat(client.readAll()).contains("221 2.0.0 Bye");
    }
  }

  @EveryMethod
  void imapGreetsAndTellsTheAuthenticatorTheClientsAddress(String method) throws IOException {
    try (Client client = client("imap", method)) {
      assertThat(client.line()).startsWith("* OK IMAP4 ready");
      client.send("a login name password\r\n");
      assertThat(client.line()).isEqualTo("a NO you are " + CLIENT + "\r\n");
    }
  }

  @EveryMethod
  void imapOverTls(String method) throws IOException {
    Running.Done done = openssl("imaps", method, "a logout\\r\\n");

    assertThat(done.output())
        .as(done.errors())
        .contains("Verify return code: 0 (ok)")
        .contains("* OK IMAP4 ready");
  }
}
