package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.FirstFlightParser;
import dev.peekpass.wire.Parsed;
import dev.peekpass.wire.ParserScratch;
import dev.peekpass.wire.Peeked;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every input that fuzzing has kept (module fuzz), at a real nginx: what the proxy lets pass with a
 * host, nginx reads alike or refuses. {@link HeadReadersTest} has the heads that were thought of.
 */
@Tag("processes")
class CorpusAtNginxTest {
  private static final Path CORPUS = Path.of("..", "fuzz", "src", "test", "resources", "corpus");
  private static final int LIMIT_BYTES = 1 << 16;

  /**
   * What the proxy reads. Where the target names another host than Host, a listener decides
   * (on-mismatch), and a server may go by either.
   */
  private record Seen(String host, String field, int headEnd) {}

  @TempDir private Path dir;

  private final ParserScratch scratch = new ParserScratch(LIMIT_BYTES);
  private final FirstFlightParser parser = new FirstFlightParser(scratch);

  @Test
  void nginxReadsNoOtherHostInAHead() throws Exception {
    Tool.require("nginx");
    Path socket = dir.resolve("nginx.sock");
    String config =
        "daemon off;\npid %s/nginx.pid;\nlock_file %s/nginx.lock;\nerror_log %s/error.log;\n"
                .formatted(dir, dir, dir)
            + "events {}\nhttp {\n"
            + Nginx.httpPreamble(dir)
            + "large_client_header_buffers 4 32k;\n"
            + "server { listen unix:%s; server_name \"\"; location / { return 200 \"host=$host\"; } }\n}\n"
                .formatted(socket);
    try (Nginx nginx = Nginx.start(dir, config)) {
      assertThat(nginx.dir).isEqualTo(dir);
      judge(heads(), false, UnixDomainSocketAddress.of(socket));
    }
  }

  @Test
  void nginxReadsNoOtherNameInAHello() throws Exception {
    Tool.require("nginx");
    Path module = Path.of("/usr/lib/nginx/modules/ngx_stream_module.so");
    Assumptions.assumeTrue(
        Files.exists(module), "SKIPPED: nginx's stream module is not installed: ./test says how");
    Path socket = dir.resolve("nginx.sock");
    // It answers as HTTP would, so that one reader of answers will do.
    String config =
        "daemon off;\npid %s/nginx.pid;\nlock_file %s/nginx.lock;\nerror_log %s/error.log;\nload_module %s;\n"
                .formatted(dir, dir, dir, module)
            + "events {}\nstream {\n"
            + "server { listen unix:%s; ssl_preread on; return \"HTTP/1.1 200 \\nhost=$ssl_preread_server_name\"; }\n}\n"
                .formatted(socket);
    try (Nginx nginx = Nginx.start(dir, config)) {
      assertThat(nginx.dir).isEqualTo(dir);
      judge(hellos(), true, UnixDomainSocketAddress.of(socket));
    }
  }

  private static Map<String, byte[]> heads() throws IOException {
    return inputs(List.of("Http1Head", "Http1Oracle", "FirstFlight"));
  }

  private static Map<String, byte[]> hellos() throws IOException {
    return inputs(List.of("ClientHello", "HelloOracle", "FirstFlight"));
  }

  private static Map<String, byte[]> inputs(List<String> targets) throws IOException {
    Map<String, byte[]> inputs = new LinkedHashMap<>();
    for (String target : targets) {
      try (ZipFile pack = new ZipFile(CORPUS.resolve(target + ".zip").toFile())) {
        for (ZipEntry entry : pack.stream().map(ZipEntry.class::cast).toList()) {
          inputs.put(entry.getName(), pack.getInputStream(entry).readAllBytes());
        }
      }
    }
    return inputs;
  }

  private void judge(Map<String, byte[]> inputs, boolean hellos, SocketAddress nginx)
      throws IOException {
    List<String> wrong = new ArrayList<>();
    int compared = 0;
    for (Map.Entry<String, byte[]> input : inputs.entrySet()) {
      byte[] bytes = input.getValue();
      boolean hello = bytes.length > 0 && bytes[0] == 22;
      Seen ours = hello == hellos ? ours(bytes) : null;
      if (ours == null) {
        continue;
      }
      String theirs = HeadReadersTest.ask(nginx, Arrays.copyOf(bytes, ours.headEnd));
      if (theirs == null || theirs.isEmpty()) {
        continue;
      }
      compared++;
      boolean byField = !ours.field.isEmpty() && theirs.equals(ours.field);
      if (!theirs.equals(ours.host) && !byField) {
        wrong.add(input.getKey() + ": " + ours + ", by nginx: " + theirs);
      }
    }
    assertThat(wrong).isEmpty();
    assertThat(compared).as("inputs in which both read a host").isGreaterThan(9);
  }

  /** What the proxy reads; null when it does not let the bytes pass. */
  private @Nullable Seen ours(byte[] bytes) {
    parser.reset();
    Parsed<Peeked> parsed = parser.parse(ByteBuffer.wrap(bytes), bytes.length);
    if (!(parsed instanceof Parsed.Found) && !(parsed instanceof Parsed.Absent)) {
      return null;
    }
    Peeked peeked = scratch.soFar();
    if (!peeked.host().isEmpty() && !peeked.host().isRoutable()) {
      // No route matches such a name, whatever others make of it.
      return null;
    }
    return new Seen(peeked.host().toString(), peeked.hostField().toString(), peeked.headEnd());
  }
}
