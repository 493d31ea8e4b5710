package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.wire.ProxyHeader.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The parsers for TLS and PROXY headers on the corpus that all of this kind are judged by. */
class SharedCorpusTest {
  // The corpus knows no limit, and one of its incomplete hellos announces 132 kB.
  private static final int LIMIT = 1 << 24;

  @Test
  void clientHellosAreAsExpected() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    HeadParser parser = new ClientHelloParser(new ParserScratch(LIMIT));
    List<String> wrong = new ArrayList<>();
    for (var expected : JsonLines.read(corpus.resolve("clienthello.jsonl"))) {
      ByteBuffer bytes = bytes(corpus.resolve("clienthello"), expected);
      parser.reset();
      Parsed<Peeked> parsed = parser.parse(bytes, bytes.limit());
      if (!acceptable(expected, verdict(parsed, "not-tls"))
          || !sameHello(expected, peeked(parsed))) {
        wrong.add(expected.get("file") + ": " + HeadOutcome.of(parsed));
      }
    }
    assertThat(wrong).isEmpty();
  }

  @Test
  void everyMarkedPrefixIsIncomplete() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    HeadParser fresh = new ClientHelloParser(new ParserScratch(1 << 16));
    HeadParser resumed = new ClientHelloParser(new ParserScratch(1 << 16));
    int prefixes = 0;
    for (var expected : JsonLines.read(corpus.resolve("clienthello.jsonl"))) {
      if (!Objects.equals(expected.get("prefixes_incomplete"), true)) {
        continue;
      }
      ByteBuffer bytes = bytes(corpus.resolve("clienthello"), expected);
      Object end = expected.getOrDefault("hello_min", expected.get("hello_end"));
      resumed.reset();
      for (int length = 0; length < (Integer) Objects.requireNonNull(end); length++) {
        ByteBuffer prefix = bytes.slice(0, length);
        fresh.reset();
        if (!(fresh.parse(prefix, length) instanceof Parsed.Incomplete)
            || !(resumed.parse(prefix, length) instanceof Parsed.Incomplete)) {
          throw new AssertionError(expected.get("file") + " is settled by " + length + " bytes");
        }
        prefixes++;
      }
    }
    assertThat(prefixes).isPositive();
  }

  @Test
  void proxyHeadersAreAsExpected() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    ProxyHeaderParser parser = new ProxyHeaderParser(LIMIT);
    List<String> wrong = new ArrayList<>();
    for (var expected : JsonLines.read(corpus.resolve("proxy.jsonl"))) {
      ByteBuffer bytes = bytes(corpus.resolve("proxy"), expected);
      parser.reset();
      Parsed<ProxyHeader> parsed = parser.parse(bytes, bytes.limit());
      if (!acceptable(expected, verdict(parsed, "not-proxy"))
          || (parsed instanceof Parsed.Found<ProxyHeader>(ProxyHeader header)
              && !sameHeader(expected, header))) {
        wrong.add(expected.get("file") + ": " + ProxyOutcome.of(parsed));
      }
    }
    assertThat(wrong).isEmpty();
  }

  private static ByteBuffer bytes(Path directory, Map<String, @Nullable Object> expected)
      throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(directory.resolve((String) expected.get("file"))));
  }

  /** The name that the corpus has for an outcome. */
  private static String verdict(Parsed<?> parsed, String foreign) {
    return switch (parsed) {
      case Parsed.Found<?> found -> "ok";
      case Parsed.Absent<?> absent -> "ok";
      case Parsed.Incomplete<?> incomplete -> "incomplete";
      case Parsed.Invalid<?> invalid -> "malformed";
      case Parsed.TooLarge<?> tooLarge -> "too-large";
      case Parsed.Foreign<?> other -> foreign;
    };
  }

  private static @Nullable Peeked peeked(Parsed<Peeked> parsed) {
    return switch (parsed) {
      case Parsed.Found<Peeked>(Peeked peeked) -> peeked;
      case Parsed.Absent<Peeked>(Peeked peeked) -> peeked;
      default -> null;
    };
  }

  private static boolean acceptable(Map<String, @Nullable Object> expected, String verdict) {
    return Objects.equals(expected.get("contested"), true)
        ? ((List<?>) Objects.requireNonNull(expected.get("accept"))).contains(verdict)
        : verdict.equals(expected.get("verdict"));
  }

  private static boolean sameHello(
      Map<String, @Nullable Object> expected, @Nullable Peeked peeked) {
    // A malformed hello's values are not looked at.
    if (peeked == null) {
      return true;
    }
    return Objects.equals(expected.get("sni"), peeked.host().isEmpty() ? null : peeked.host().raw())
        && Objects.equals(expected.get("alpn"), peeked.alpn().toList())
        && Objects.equals(expected.get("hello_end"), peeked.headEnd())
        && Objects.equals(expected.get("records"), peeked.records())
        && Objects.equals(expected.getOrDefault("ech", false), peeked.encryptedClientHello());
  }

  private static boolean sameHeader(Map<String, @Nullable Object> expected, ProxyHeader header) {
    List<List<Object>> tlvs = new ArrayList<>();
    header.tlvs().forEach(t -> tlvs.add(List.of(t.type(), HexFormat.of().formatHex(t.value()))));
    return Objects.equals(expected.get("version"), header.version())
        && Objects.equals(expected.get("command"), header.command().name())
        && Objects.equals(expected.get("header_len"), header.lengthBytes())
        && sameEnd(expected.get("src"), expected.get("sport"), header.source())
        && sameEnd(expected.get("dst"), expected.get("dport"), header.destination())
        && Objects.equals(expected.getOrDefault("tlvs", List.of()), tlvs);
  }

  private static boolean sameEnd(
      @Nullable Object address, @Nullable Object port, @Nullable Endpoint end) {
    return end instanceof Endpoint.Inet(var got, int gotPort)
        && Objects.equals(port, gotPort)
        && got.equals(InetAddress.ofLiteral((String) Objects.requireNonNull(address)));
  }
}
