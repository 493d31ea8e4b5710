package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.Curl;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FileServerTest {
  private static final String END = "Host: a\r\nConnection: close\r\n\r\n";

  @TempDir private Path directory;
  private Path site;
  private RunningServer server;

  @BeforeEach
  void start() throws IOException {
    site = Files.createDirectory(directory.resolve("site"));
    Files.writeString(site.resolve("index.html"), "<h1>hello</h1>");
    Files.writeString(site.resolve("ten.txt"), "0123456789");
    Files.createDirectory(site.resolve("sub"));
    Files.writeString(site.resolve("sub/file.css"), "css");
    Files.writeString(directory.resolve("secret"), "secret");
    Files.createSymbolicLink(site.resolve("out"), Path.of("../secret"));
    server = new RunningServer(site, null, RunningServer.LIMITS);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private void restart(ServeLimits limits) throws IOException {
    server.close();
    server = new RunningServer(site, null, limits);
  }

  private String get(String target) throws IOException {
    return server.exchangeOpen("GET " + target + " HTTP/1.1\r\n" + END);
  }

  private String url(String path) {
    return "http://127.0.0.1:" + server.port() + path;
  }

  private static String status(String response) {
    return response.isEmpty() ? "" : response.substring(9, 12);
  }

  private static String body(String response) {
    return response.substring(response.indexOf("\r\n\r\n") + 4);
  }

  @Test
  void servesAFileWithEverythingAboutIt() throws IOException {
    String response = get("/ten.txt");
    assertThat(response)
        .startsWith("HTTP/1.1 200 OK\r\n")
        .contains(
            "\r\nDate: ",
            "\r\nServer: Peekpass\r\n",
            "\r\nX-Backend: test\r\n",
            "\r\nETag: \"",
            "\r\nLast-Modified: ",
            "\r\nAccept-Ranges: bytes\r\n",
            "\r\nContent-Type: text/plain; charset=utf-8\r\n",
            "\r\nContent-Length: 10\r\n")
        .endsWith("\r\n\r\n0123456789");
  }

  @ParameterizedTest
  @CsvSource({
    "/, 200",
    "/index.html, 200",
    "/sub/file.css, 200",
    "/sub/, 200",
    "/sub, 301",
    "/nothing, 404",
    "/ten.txt/, 404",
    "/ten.txt/x, 404",
    "/out, 403",
    "/../secret, 400",
    "/%2e%2e/secret, 400",
    "/sub/../../secret, 400",
    "/sub/%2e%2e%2f%2e%2e%2fsecret, 400",
    "/..%5csecret, 400",
    "/ten.txt%00.html, 400",
    "//etc/passwd, 400",
    "*, 400",
  })
  void answersWithTheRightStatus(String target, String status) throws IOException {
    String response = get(target);
    assertThat(status(response)).isEqualTo(status);
    assertThat(body(response)).doesNotContain("secret");
  }

  @Test
  void redirectsToTheDirectoryWithItsQuery() throws IOException {
    Files.createDirectory(site.resolve("a ü"));
    assertThat(get("/a%20%C3%BC?q=1")).contains("\r\nLocation: /a%20%C3%BC/?q=1\r\n");
  }

  @Test
  void servesNamesInUtf8() throws IOException {
    Files.writeString(site.resolve("ü.txt"), "umlaut");
    assertThat(get("/%C3%BC.txt")).endsWith("umlaut");
    assertThat(get("/\u00c3\u00bc.txt")).endsWith("umlaut");
  }

  @Test
  void headHasTheLengthAndNoBody() throws IOException {
    String response = server.exchange("HEAD /ten.txt HTTP/1.1\r\n" + END);
    assertThat(response).startsWith("HTTP/1.1 200 ").contains("\r\nContent-Length: 10\r\n");
    assertThat(body(response)).isEmpty();
    assertThat(body(server.exchange("HEAD /nothing HTTP/1.1\r\n" + END))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW", "get"})
  void otherMethodsAreNotAllowed(String method) throws IOException {
    assertThat(server.exchange(method + " / HTTP/1.1\r\n" + END))
        .startsWith("HTTP/1.1 405 ")
        .contains("\r\nAllow: GET, HEAD\r\n");
  }

  @Test
  void aSmallBodyIsSkippedAndTheConnectionLives() throws IOException {
    String response =
        server.exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"
                + "GET /ten.txt HTTP/1.1\r\n"
                + END);
    assertThat(response).startsWith("HTTP/1.1 405 ").contains("HTTP/1.1 200 ").endsWith("89");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Length: 999999999\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
      })
  void bodiesThatAreNotReadEndTheConnection(String rest) throws IOException {
    assertThat(server.exchange("POST / HTTP/1.1\r\nHost: a\r\n" + rest))
        .startsWith("HTTP/1.1 405 ")
        .contains("\r\nConnection: close\r\n")
        .containsOnlyOnce("HTTP/1.1 ");
  }

  @Test
  void aClientThatGoesOnSendingStillSeesTheRefusal() throws IOException {
    byte[] megabyte = new byte[1 << 20];
    try (Socket socket = server.connect()) {
      socket
          .getOutputStream()
          .write("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n".getBytes(UTF_8));
      socket.getOutputStream().write(megabyte, 0, 800_000);
      assertThat(new String(socket.getInputStream().readAllBytes(), ISO_8859_1))
          .startsWith("HTTP/1.1 405 ");
    }
  }

  @Test
  void pipelinedRequestsAreAnsweredInOrder() throws IOException {
    String response =
        server.exchange(
            "GET /ten.txt HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                + "GET /sub/file.css HTTP/1.1\r\n"
                + END);
    assertThat(response.split("HTTP/1.1 ", -1)).hasSize(4);
    assertThat(response).endsWith("css");
  }

  @Test
  void http10ClosesUnlessAskedNotTo() throws IOException {
    assertThat(server.exchangeOpen("GET /ten.txt HTTP/1.0\r\n\r\n")).endsWith("9");
    assertThat(
            server.exchangeOpen(
                "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /ten.txt HTTP/1.0\r\n\r\n"))
        .contains("\r\nConnection: keep-alive\r\n")
        .endsWith("9");
  }

  @ParameterizedTest
  @CsvSource({
    "bytes=2-4, 206, 234, bytes 2-4/10",
    "bytes=8-, 206, 89, bytes 8-9/10",
    "bytes=-3, 206, 789, bytes 7-9/10",
    "'bytes=0-0,2-2', 200, 0123456789,",
    "nonsense, 200, 0123456789,",
  })
  void servesRanges(String range, String status, String expected, String contentRange)
      throws IOException {
    String response = server.exchange("GET /ten.txt HTTP/1.1\r\nRange: " + range + "\r\n" + END);
    assertThat(status(response)).isEqualTo(status);
    assertThat(body(response)).isEqualTo(expected);
    if (contentRange != null) {
      assertThat(response).contains("\r\nContent-Range: " + contentRange + "\r\n");
    }
  }

  @Test
  void aRangeBeyondTheEndIs416() throws IOException {
    assertThat(server.exchange("GET /ten.txt HTTP/1.1\r\nRange: bytes=10-\r\n" + END))
        .startsWith("HTTP/1.1 416 ")
        .contains("\r\nContent-Range: bytes */10\r\n");
  }

  @Test
  void aKnownTagIs304WithoutLength() throws IOException {
    String tag = get("/ten.txt").split("ETag: ", -1)[1].lines().findFirst().orElseThrow();
    String response =
        server.exchange("GET /ten.txt HTTP/1.1\r\nIf-None-Match: " + tag + "\r\n" + END);
    assertThat(response).startsWith("HTTP/1.1 304 ").doesNotContain("Content-Length");
    assertThat(body(response)).isEmpty();
    assertThat(server.exchange("GET /ten.txt HTTP/1.1\r\nIf-Match: \"x\"\r\n" + END))
        .startsWith("HTTP/1.1 412 ");
  }

  @ParameterizedTest
  @CsvSource({
    "'GET / HTTP/1.1\r\n\r\n', 400",
    "'nonsense\r\n', 400",
    "'GET / HTTP/2.0\r\n', 505",
    "'GET / HTTP/1.1\nHost: a\n\n', 400",
  })
  void refusesBadRequestsAndCloses(String request, String status) throws IOException {
    String response = server.exchangeOpen(request.replace("\\r", "\r").replace("\\n", "\n"));
    assertThat(status(response)).isEqualTo(status);
    assertThat(response).contains("\r\nConnection: close\r\n");
  }

  @Test
  void refusesOverlongHeads() throws IOException {
    assertThat(status(server.exchangeOpen("GET /" + "a".repeat(9000)))).isEqualTo("414");
    assertThat(status(server.exchangeOpen("GET / HTTP/1.1\r\nHost: a\r\nX: " + "a".repeat(17_000))))
        .isEqualTo("431");
  }

  @Test
  void survivesRandomBytes() throws IOException {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 300; i++) {
      byte[] bytes = new byte[random.nextInt(200)];
      random.nextBytes(bytes);
      if (bytes.length > 0 && bytes[0] == 0x16) {
        // That would be TLS.
        continue;
      }
      String response = server.exchange(new String(bytes, ISO_8859_1) + "\r\n\r\n");
      assertThat(status(response)).isIn("", "400", "505");
    }
    assertThat(get("/ten.txt")).endsWith("9");
  }

  @Test
  void halfARequestIsNotAnswered() throws IOException {
    assertThat(server.exchange("GET /ten.txt HT")).isEmpty();
    assertThat(server.exchange("")).isEmpty();
  }

  @Test
  void tlsWithoutACertificateIsNamedInTheLog() throws IOException {
    // A fatal alert, handshake_failure.
    assertThat(server.exchange("\u0016\u0003\u0001"))
        .isEqualTo("\u0015\u0003\u0003\u0000\u0002\u0002(");
    assertThat(server.log()).singleElement().asString().contains("there is no --tls-cert");
  }

  @Test
  void logsTheClientsOwnAddress() throws IOException {
    String own;
    try (Socket socket = server.connect()) {
      own = "127.0.0.1:" + socket.getLocalPort();
      socket.getOutputStream().write(("GET /ten.txt HTTP/1.1\r\n" + END).getBytes(UTF_8));
      assertThat(socket.getInputStream().readAllBytes()).isNotEmpty();
    }
    assertThat(server.log())
        .singleElement()
        .asString()
        .startsWith(own + " \"GET /ten.txt HTTP/1.1\" 200 10 ")
        .contains(" name=test local=127.0.0.1:" + server.port());
  }

  @Test
  void whoamiTellsWhatTheBackendSees() throws IOException {
    try (Socket socket = server.connect()) {
      socket.getOutputStream().write(("GET /.peekpass/whoami HTTP/1.1\r\n" + END).getBytes(UTF_8));
      assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
          .contains("Content-Type: application/json")
          .contains("\"backend\":\"test\"")
          .contains("\"pid\":" + ProcessHandle.current().pid())
          .contains("\"remote\":\"127.0.0.1:" + socket.getLocalPort() + "\"")
          .contains("\"local\":\"127.0.0.1:" + server.port() + "\"")
          .contains("\"tls\":null");
    }
  }

  @Test
  void aGigabyteArrivesAsItIs() throws Exception {
    Path big = site.resolve("big.bin");
    try (RandomAccessFile file = new RandomAccessFile(big.toFile(), "rw")) {
      file.setLength(1L << 30);
      for (long at : new long[] {0, 123_456_789, (1L << 30) - 5}) {
        file.seek(at);
        file.write("mark!".getBytes(UTF_8));
      }
    }
    assertThat(sha256(Files.newInputStream(big))).isEqualTo(downloaded("/big.bin"));
  }

  private String downloaded(String target) throws Exception {
    try (Socket socket = server.connect()) {
      socket.getOutputStream().write(("GET " + target + " HTTP/1.1\r\n" + END).getBytes(UTF_8));
      InputStream in = socket.getInputStream();
      for (int newLines = 0; newLines < 4; ) {
        int b = in.read();
        newLines = b == '\r' || b == '\n' ? newLines + 1 : 0;
      }
      return sha256(in);
    }
  }

  private static String sha256(InputStream in) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    byte[] buffer = new byte[1 << 16];
    try (in) {
      for (int count; (count = in.read(buffer)) > 0; ) {
        digest.update(buffer, 0, count);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  @Test
  void aFileThatShrinksCutsTheConnection() throws IOException {
    Path file = site.resolve("shrinking");
    try (RandomAccessFile access = new RandomAccessFile(file.toFile(), "rw")) {
      access.setLength(1 << 28);
      try (Socket socket = server.connect()) {
        socket.getOutputStream().write(("GET /shrinking HTTP/1.1\r\n" + END).getBytes(UTF_8));
        assertThat(socket.getInputStream().read()).isEqualTo('H');
        access.setLength(1);
        assertThat(socket.getInputStream().readAllBytes()).hasSizeLessThan(1 << 28);
      }
    }
    assertThat(server.log()).singleElement().asString().endsWith("cut off");
  }

  @Test
  void slowReadersDoNotStarveOthers() throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(site.resolve("big").toFile(), "rw")) {
      file.setLength(1 << 28);
    }
    List<Socket> slow = new ArrayList<>();
    try {
      for (int i = 0; i < 500; i++) {
        Socket socket = server.connect();
        slow.add(socket);
        socket.getOutputStream().write(("GET /big HTTP/1.1\r\n" + END).getBytes(UTF_8));
        assertThat(socket.getInputStream().read()).isEqualTo('H');
      }
      assertThat(get("/ten.txt")).endsWith("9");
    } finally {
      for (Socket socket : slow) {
        // A reset, so that the server does not wait for them to read on.
        socket.setSoLinger(true, 0);
        socket.close();
      }
    }
  }

  @Test
  void manyConnectionsAtOnceGetTheirFiles() throws Exception {
    byte[] content = new byte[300_000];
    new SplittableRandom(2).nextBytes(content);
    Files.write(site.resolve("middle.bin"), content);
    try (ExecutorService clients = Executors.newVirtualThreadPerTaskExecutor()) {
      Callable<byte[]> download = () -> get("/middle.bin").getBytes(ISO_8859_1);
      List<Future<byte[]>> downloads = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        downloads.add(clients.submit(download));
      }
      for (Future<byte[]> response : downloads) {
        byte[] all = response.get();
        assertThat(Arrays.copyOfRange(all, all.length - content.length, all.length))
            .isEqualTo(content);
      }
    }
  }

  private static ServeLimits limits(int connections, Duration head, Duration idle, Duration stall) {
    Duration minute = Duration.ofMinutes(1);
    return new ServeLimits(connections, minute, head, idle, stall, minute, minute);
  }

  @Test
  void oneConnectionTooManyGets503() throws IOException {
    Duration minute = Duration.ofMinutes(1);
    restart(limits(1, minute, minute, minute));
    try (Socket first = server.connect()) {
      first.getOutputStream().write("GET /ten.txt HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(UTF_8));
      assertThat(first.getInputStream().read()).isEqualTo('H');
      // The second sends nothing: a refusal waits for nothing.
      assertThat(server.exchangeOpen("")).startsWith("HTTP/1.1 503 ");
    }
  }

  @Test
  void aHeadThatDoesNotEndIsCutOff() throws IOException {
    Duration minute = Duration.ofMinutes(1);
    restart(limits(10, Duration.ofMillis(200), minute, minute));
    assertThat(server.exchangeOpen("GET / HTTP/1.1\r\n")).isEmpty();
    assertThat(server.exchangeOpen("")).isEmpty();
  }

  @Test
  void anIdleConnectionIsClosed() throws IOException {
    Duration minute = Duration.ofMinutes(1);
    restart(limits(10, minute, Duration.ofMillis(200), minute));
    assertThat(server.exchangeOpen("GET /ten.txt HTTP/1.1\r\nHost: a\r\n\r\n")).endsWith("9");
  }

  @Test
  void aReaderThatStallsIsCutOff() throws IOException {
    Duration minute = Duration.ofMinutes(1);
    restart(limits(10, minute, minute, Duration.ofMillis(300)));
    try (RandomAccessFile file = new RandomAccessFile(site.resolve("big").toFile(), "rw")) {
      file.setLength(1 << 28);
    }
    try (Socket socket = server.connect()) {
      socket.getOutputStream().write(("GET /big HTTP/1.1\r\n" + END).getBytes(UTF_8));
      assertThat(socket.getInputStream().read()).isEqualTo('H');
      assertThat(server.log()).singleElement().asString().endsWith("cut off: deadline");
    }
  }

  @Test
  void stoppingEndsIdleConnectionsAndFinishesResponses() throws Exception {
    byte[] content = new byte[1 << 24];
    Files.write(site.resolve("big"), content);
    try (Socket idle = server.connect();
        Socket busy = server.connect()) {
      idle.getOutputStream().write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(UTF_8));
      InputStream in = idle.getInputStream();
      for (int newLines = 0; newLines < 4; ) {
        int b = in.read();
        newLines = b == '\r' || b == '\n' ? newLines + 1 : 0;
      }
      busy.getOutputStream().write("GET /big HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(UTF_8));
      assertThat(busy.getInputStream().read()).isEqualTo('H');
      server.stop();
      assertThat(in.read()).isEqualTo(-1);
      assertThat(busy.getInputStream().readAllBytes()).hasSizeGreaterThan(content.length);
    }
    server.await();
  }

  @Test
  @Tag("processes")
  void curlKeepsOneConnectionForTwoRequests() throws Exception {
    String output =
        Curl.run("-w", "connects=%{num_connects}\n", url("/ten.txt"), url("/sub/file.css"));
    assertThat(output).isEqualTo("0123456789connects=1\ncssconnects=0\n");
  }

  @Test
  @Tag("processes")
  void curlDoesRangesHeadAndConditions() throws Exception {
    assertThat(Curl.run("-r", "2-4", url("/ten.txt"))).isEqualTo("234");
    assertThat(Curl.run("-I", url("/ten.txt"))).contains("Content-Length: 10");
    Path saved = directory.resolve("etag");
    assertThat(Curl.run("--etag-save", saved.toString(), url("/ten.txt"))).isEqualTo("0123456789");
    assertThat(Curl.run("--etag-compare", saved.toString(), "-w", "%{http_code}", url("/ten.txt")))
        .isEqualTo("304");
    assertThat(
            Curl.run(
                "-z", site.resolve("ten.txt").toString(), "-w", "%{http_code}", url("/ten.txt")))
        .isEqualTo("304");
  }

  @Test
  @Tag("processes")
  void curlResumesADownload() throws Exception {
    Path part = Files.writeString(directory.resolve("part"), "01234");
    Curl.run("-C", "-", "-o", part.toString(), url("/ten.txt"));
    assertThat(part).hasContent("0123456789");
  }

  @Test
  @Tag("processes")
  void curlSeesTheAnswerToARefusedUpload() throws Exception {
    Path upload = Files.write(directory.resolve("upload"), new byte[3_000_000]);
    assertThat(Curl.run("-T", upload.toString(), "-o", "-", url("/x"))).contains("405");
  }

  @Test
  @Tag("processes")
  void curlMayGoOutsideOfThePathInVain() throws Exception {
    assertThat(Curl.run("--path-as-is", url("/../secret"))).doesNotContain("secret\n");
    assertThat(Curl.run("--path-as-is", "-w", "%{http_code}", "-o", "/dev/null", url("/../secret")))
        .isEqualTo("400");
  }
}
