package dev.peekpass.it;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the proxy makes of an HTTP/1 head beside what real servers make of the same bytes: nginx,
 * the JDK's, Python's. What it lets pass, they must read alike. What it refuses, they refuse, or
 * read differently; where nginx serves it and nobody sees another host, there must be a reason
 * here. docs/configuration.md has the table.
 */
@Tag("processes")
class HeadReadersTest {
  private static final String NAME =
      "no client is known to send it, and the other readers refuse it";
  private static final String SPELLS_HOST =
      "a reader that drops the odd characters has a second Host";
  private static final String NO_HOST_NAME =
      "no authority (RFC 3986 section 3.2.2): libraries for URIs see another host or none";
  private static final String VERSION = "says whether Host must be there, and is no version known";

  private static final String PYTHON =
      """
      import http.server
      class Handler(http.server.BaseHTTPRequestHandler):
          def answer(self):
              body = ('host=' + (self.headers.get('Host') or '')).encode('latin1', 'replace')
              self.send_response(200)
              self.send_header('Content-Length', str(len(body)))
              self.end_headers()
              self.wfile.write(body)
          do_GET = do_CONNECT = do_OPTIONS = answer
          def log_message(self, *ignored): pass
      server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
      print('port', server.server_address[1], flush=True)
      server.serve_forever()
      """;

  /**
   * One head.
   *
   * @param head its lines, each behind the other with | between
   * @param verdict {@code ok HOST}, {@code no-host} or {@code malformed}
   * @param reason why it is refused though nginx serves it, or empty
   */
  private record Case(String head, String verdict, String reason) {
    byte[] bytes() {
      String text = head.replace("|", "\r\n") + "\r\nConnection: close\r\n\r\n";
      return text.getBytes(ISO_8859_1);
    }
  }

  private static Case ok(String head, String host) {
    return new Case(head, "ok " + host, "");
  }

  private static Case nobody(String head) {
    return new Case(head, "no-host", "");
  }

  private static Case bad(String head) {
    return new Case(head, "malformed", "");
  }

  private static Case bad(String head, String reason) {
    return new Case(head, "malformed", reason);
  }

  private static final List<Case> CASES =
      List.of(
          ok("GET / HTTP/1.1|Host: a", "a"),
          ok("GET / HTTP/1.1|hOST:\ta:80 ", "a"),
          ok("GET / HTTP/1.1|X: y|Host: A.b.", "a.b"),
          ok("GET / HTTP/1.1|Host: a_b", "a_b"),
          ok("GET / HTTP/1.1|Host: a,b", "a,b"),
          ok("GET / HTTP/1.1|Host: [::1]:80", "[::1]"),
          ok("\r\nGET / HTTP/1.1|Host: a", "a"),
          ok("GET / HTTP/1.1\nHost: a\nX: y", "a"),
          ok("GET / HTTP/1.1|X: y\nHost: b", "b"),
          ok("GET / HTTP/1.1|X: y\u0001|Host: a", "a"),
          ok("GET / HTTP/1.1|X: \u00c3\u00a9|Host: a", "a"),
          ok("GET //b/ HTTP/1.1|Host: a", "a"),
          ok("GET /?http://b/ HTTP/1.1|Host: a", "a"),
          ok("GET /\u00c3\u00a9 HTTP/1.1|Host: a", "a"),
          // The line's spaces.
          ok("GET / HTTP/1.1 |Host: a", "a"),
          ok("GET / HTTP/1.1   |Host: a", "a"),
          ok("GET  / HTTP/1.1|Host: a", "a"),
          ok("GET /  HTTP/1.1|Host: a", "a"),
          bad("GET / HTTP/1.1\t|Host: a"),
          bad("GET /a b HTTP/1.1|Host: a"),
          bad("GET http://a/ http://b/ HTTP/1.1|Host: a"),
          // Field names.
          ok("GET / HTTP/1.1|(request-target): x|Host: a", "a"),
          ok("GET / HTTP/1.1|X-Data[0]: x|Host: a", "a"),
          ok("GET / HTTP/1.1|Host: a|X-\u00c3\u00a9: x", "a"),
          ok("GET / HTTP/1.1|X-\u00c3\u00a9: x|Host: a", "a"),
          bad("GET / HTTP/1.1|(Host): b|Host: a", SPELLS_HOST),
          bad("GET / HTTP/1.1|Host[]: b|Host: a", SPELLS_HOST),
          bad("GET / HTTP/1.1|Host\u0080: b|Host: a", SPELLS_HOST),
          bad("GET / HTTP/1.1|Fo@: x|Host: a", NAME),
          bad("GET / HTTP/1.1|{: x|Host: a", NAME),
          bad("GET / HTTP/1.1|/: x|Host: a", NAME),
          bad("GET / HTTP/1.1|a\"b,c;d<e=f>g?h\\i}: x|Host: a", NAME),
          bad("GET / HTTP/1.1|no colon|Host: a"),
          bad("GET / HTTP/1.1|nocolon|Host: a", NAME),
          bad("GET / HTTP/1.1|: x|Host: a"),
          bad("GET / HTTP/1.1|X Y: x|Host: a"),
          bad("GET / HTTP/1.1|X : x|Host: a"),
          bad("GET / HTTP/1.1|Host : b|Host: a"),
          bad("GET / HTTP/1.1|Host : b"),
          bad("GET / HTTP/1.1|a\u0001: x|Host: a"),
          bad("GET / HTTP/1.1|Ho\0st: b|Host: a"),
          // What may be joined or cut.
          bad("GET / HTTP/1.1| Host: b|Host: a"),
          bad("GET / HTTP/1.1|X: y| Host: b|Host: a"),
          bad("GET / HTTP/1.1|X: y\rHost: b|Host: a"),
          bad("GET / HTTP/1.1|X: y\0|Host: a"),
          bad("GET / HTTP/1.1|Host: a|Host: b"),
          bad("GET / HTTP/1.1|Host: a|Host: a"),
          bad("GET / HTTP/1.1|Host:|Host: b"),
          bad("GET / HTTP/1.1\nHost: a\nHost: b"),
          bad("GET / HTTP/1.1|X: y\nHost: b|Host: a"),
          // Nobody is named.
          nobody("GET / HTTP/1.0|X: y"),
          nobody("GET / HTTP/1.1|Host:"),
          nobody("GET / HTTP/1.1|Host: \t"),
          bad("GET / HTTP/1.1|X: y"),
          bad("GET / HTTP/1.1|Host: :80"),
          // Values of Host.
          bad("GET / HTTP/1.1|Host: a b"),
          bad("GET / HTTP/1.1|Host: a/b"),
          bad("GET / HTTP/1.1|Host: a:x"),
          bad("GET / HTTP/1.1|Host: a:1:2"),
          bad("GET / HTTP/1.1|Host: a:99999", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: u@a", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: b\u00c3\u00a9", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: a\"b", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: a\\b", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: {a}", NO_HOST_NAME),
          bad("GET / HTTP/1.1|Host: [x]", NO_HOST_NAME),
          // Targets.
          ok("GET http://a/ HTTP/1.1|Host: a", "a"),
          ok("GET http://b/ HTTP/1.1|Host: a", "b"),
          ok("GET  http://b/ HTTP/1.1|Host: a", "b"),
          ok("GET http://b/ HTTP/1.1|Host:", "b"),
          ok("GET http://b/ HTTP/1.0|X: y", "b"),
          ok("GET http://u@b/ HTTP/1.1|Host: a", "b"),
          ok("GET foo://b/ HTTP/1.1|Host: a", "b"),
          ok("CONNECT b:443 HTTP/1.1|Host: a", "b"),
          ok("OPTIONS * HTTP/1.1|Host: a", "a"),
          bad("GET http://b/ HTTP/1.1|X: y"),
          bad("GET http:///x HTTP/1.1|Host: a"),
          bad("GET http://b\\c/ HTTP/1.1|Host: a"),
          bad("GET http://b:x/ HTTP/1.1|Host: a"),
          bad("GET admin HTTP/1.1|Host: a"),
          bad("GET ?q HTTP/1.1|Host: a"),
          bad("GET /\u0001 HTTP/1.1|Host: a"),
          bad("CONNECT b HTTP/1.1|Host: a"),
          bad("GET / HTTP/1.10|Host: a", VERSION),
          bad("GET / HTTP/01.1|Host: a"));

  @TempDir private Path dir;

  private final ParserScratch scratch = new ParserScratch(1 << 16);
  private final FirstFlightParser parser = new FirstFlightParser(scratch);

  @Test
  void whatPassesIsReadAlikeAndWhatIsRefusedHasAReason() throws Exception {
    Tool.require("nginx");
    Tool.require("python3");
    Path socket = dir.resolve("nginx.sock");
    String nginx =
        "daemon off;\npid %s/nginx.pid;\nlock_file %s/nginx.lock;\nerror_log %s/error.log;\n"
                .formatted(dir, dir, dir)
            + "events {}\nhttp {\n"
            + Nginx.httpPreamble(dir)
            + "server { listen unix:%s; server_name \"\"; location / { return 200 \"host=$host\"; } }\n}\n"
                .formatted(socket);
    HttpServer jdk =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    jdk.createContext(
        "/",
        exchange -> {
          String host = exchange.getRequestHeaders().getFirst("Host");
          byte[] body = ("host=" + (host == null ? "" : host)).getBytes(ISO_8859_1);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    jdk.start();
    try (Nginx first = Nginx.start(dir, nginx);
        Running python = Running.start(dir, "python", List.of("python3", "-c", PYTHON))) {
      assertThat(first.dir).isEqualTo(dir);
      Pattern line = Pattern.compile("port (\\d+)");
      python.awaitOutput("it listens", () -> line.matcher(python.output()).find());
      Matcher port = line.matcher(python.output());
      assertThat(port.find()).isTrue();
      Map<String, SocketAddress> readers = new LinkedHashMap<>();
      readers.put("nginx", UnixDomainSocketAddress.of(socket));
      readers.put("jdk", jdk.getAddress());
      readers.put(
          "python",
          new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(port.group(1))));
      List<String> wrong = new ArrayList<>();
      for (Case one : CASES) {
        judge(one, readers, wrong);
      }
      assertThat(wrong).isEmpty();
    } finally {
      jdk.stop(0);
    }
  }

  private void judge(Case one, Map<String, SocketAddress> readers, List<String> wrong)
      throws IOException {
    byte[] bytes = one.bytes();
    parser.reset();
    Parsed<Peeked> parsed = parser.parse(ByteBuffer.wrap(bytes), bytes.length);
    String verdict =
        switch (parsed) {
          case Parsed.Found<Peeked> found -> "ok " + scratch.soFar().host();
          case Parsed.Absent<Peeked> absent -> "no-host";
          case Parsed.Invalid<Peeked> invalid -> "malformed";
          default -> parsed.toString();
        };
    List<String> may = new ArrayList<>(List.of(""));
    if (verdict.startsWith("ok ")) {
      may.add(scratch.soFar().host().toString());
      // Where the target overrules another Host, a listener decides: on-mismatch.
      may.add(scratch.soFar().hostField().toString());
    }
    Map<String, @Nullable String> seen = new LinkedHashMap<>();
    for (var reader : readers.entrySet()) {
      seen.put(reader.getKey(), ask(reader.getValue(), bytes));
    }
    String said = one.head() + " is " + verdict + ", and read as " + seen;
    if (!verdict.equals(one.verdict())) {
      wrong.add("not " + one.verdict() + ": " + said);
    }
    if (!verdict.equals("malformed")) {
      if (!seen.values().stream().allMatch(host -> host == null || may.contains(host))) {
        wrong.add("read differently: " + said);
      }
      return;
    }
    String byNginx = seen.get("nginx");
    boolean alike =
        byNginx != null
            && seen.values().stream()
                .allMatch(host -> host == null || host.isEmpty() || host.equals(byNginx));
    if (alike != !one.reason().isEmpty()) {
      wrong.add((alike ? "refused without a reason: " : "no reason is needed: ") + said);
    }
  }

  /** The host that a server saw, canonical; empty for none; null when it did not serve it. */
  static @Nullable String ask(SocketAddress address, byte[] head) throws IOException {
    try (SocketChannel client =
        address instanceof UnixDomainSocketAddress
            ? SocketChannel.open(StandardProtocolFamily.UNIX)
            : SocketChannel.open()) {
      client.connect(address);
      client.write(ByteBuffer.wrap(head));
      client.shutdownOutput();
      ByteBuffer answer = ByteBuffer.allocate(1 << 16);
      try {
        while (client.read(answer) >= 0) {
          // Until it closes.
        }
      } catch (IOException e) {
        // Reset behind its answer: it has not read all.
      }
      String text = new String(answer.array(), 0, answer.position(), ISO_8859_1);
      Matcher host = Pattern.compile("HTTP/1.[01] 200 .*host=(.*)$", Pattern.DOTALL).matcher(text);
      return host.matches()
          ? host.group(1)
              .strip()
              .toLowerCase(Locale.ROOT)
              .replaceFirst(":[0-9]*$", "")
              .replaceFirst("[.]$", "")
          : null;
    }
  }
}
