package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the proxy is for: once a connection is passed, nothing that happens to the proxy matters.
 */
@Tag("processes")
class SurvivalTest {
  @TempDir private Path dir;

  private static Socket request(Site site, String path) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), site.port());
    String head = "GET " + path + " HTTP/1.1\r\nHost: " + Site.NAME + "\r\n\r\n";
    socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  private static void skipHead(InputStream in) throws IOException {
    int last = 0;
    for (int b = in.read(); b >= 0; b = in.read()) {
      last = last << 8 | b;
      if (last == 0x0d0a0d0a) {
        return;
      }
    }
    throw new AssertionError("the response has no end of its head");
  }

  @ParameterizedTest
  @ValueSource(strings = {"once", "persistent", "datagram"})
  void aGibibyteComesWholeThoughTheProxyIsKilledUnderWay(String method) throws Exception {
    Tool.require("openssl");
    try (Site site = new Site(dir, method);
        Socket client = request(site, "/big")) {
      InputStream in = client.getInputStream();
      skipHead(in);
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] chunk = new byte[1 << 16];
      long got = 0;
      while (got < Site.BIG_BYTES) {
        int n = in.read(chunk);
        assertThat(n).as("bytes after %d", got).isPositive();
        digest.update(chunk, 0, n);
        boolean half = got < Site.BIG_BYTES / 2 && got + n >= Site.BIG_BYTES / 2;
        got += n;
        if (half) {
          site.proxy.kill();
        }
      }

      assertThat(site.proxy.process.isAlive()).isFalse();
      assertThat(HexFormat.of().formatHex(digest.digest()))
          .isEqualTo(digestOf(dir.resolve("site/big")));
      // A proxy that comes back finds the backend as it was.
      site.restartProxy();
      try (Socket again = request(site, "/")) {
        assertThat(again.getInputStream().readNBytes(12))
            .asString(StandardCharsets.US_ASCII)
            .isEqualTo("HTTP/1.1 200");
      }
    }
  }

  private static String digestOf(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[1 << 16];
      for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
        digest.update(chunk, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  @Test
  void ofFiveThousandEstablishedConnectionsTheProxyHoldsNone() throws Exception {
    Tool.require("openssl");
    int count = 5000;
    List<Socket> clients = new ArrayList<>();
    try (Site site = new Site(dir, "auto")) {
      try (Socket first = request(site, "/")) {
        skipHead(first.getInputStream());
      }
      long before = site.proxy.sockets();
      for (int i = 0; i < count; i++) {
        Socket client = request(site, "/");
        clients.add(client);
        skipHead(client.getInputStream());
      }

      // The last answer may come before the proxy has closed its copy of that connection.
      Running.await("the proxy holds none", () -> site.proxy.sockets() == before);
      assertThat(site.server.sockets()).as("sockets of the server").isGreaterThanOrEqualTo(count);
    } finally {
      for (Socket client : clients) {
        client.close();
      }
    }
  }
}
