package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The HTTP parsers on the corpus that all of this kind are judged by. */
class SharedHttpCorpusTest {
  private static final int LIMIT_BYTES = 1 << 16;

  private final ParserScratch scratch = new ParserScratch(LIMIT_BYTES);

  @Test
  void http1HeadsAreAsExpected() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    HeadParser parser = new Http1Parser(scratch);
    List<String> wrong = new ArrayList<>();
    for (var expected : JsonLines.read(corpus.resolve("http.jsonl"))) {
      byte[] bytes = bytes(corpus.resolve("http"), expected);
      String seen = http1(parser, bytes);
      report(expected, seen, http1Expectation(expected, seen), wrong);
      assertThat(Outcome.byteByByte(parser, bytes)).isEqualTo(Outcome.whole(parser, bytes));
    }
    assertThat(wrong).isEmpty();
  }

  @Test
  void http2StartsAreAsExpected() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    HeadParser parser = new Http2Parser(scratch);
    List<String> wrong = new ArrayList<>();
    for (var expected : JsonLines.read(corpus.resolve("h2.jsonl"))) {
      byte[] bytes = bytes(corpus.resolve("h2"), expected);
      String seen = http2(parser, bytes);
      report(expected, seen, http2Expectation(expected, seen), wrong);
      assertThat(Outcome.byteByByte(parser, bytes)).isEqualTo(Outcome.whole(parser, bytes));
    }
    assertThat(wrong).isEmpty();
  }

  @Test
  void everyProperPrefixOfAHeadIsIncomplete() throws IOException {
    Path corpus = SharedCorpus.directoryOrSkip();
    int prefixes = 0;
    for (String kind : List.of("http", "h2")) {
      HeadParser parser = kind.equals("h2") ? new Http2Parser(scratch) : new Http1Parser(scratch);
      for (var expected : JsonLines.read(corpus.resolve(kind + ".jsonl"))) {
        byte[] bytes = bytes(corpus.resolve(kind), expected);
        parser.reset();
        boolean named =
            parser.parse(Outcome.exactly(bytes, bytes.length), bytes.length)
                instanceof Parsed.Found;
        if (!named || isContested(expected)) {
          continue;
        }
        int headEnd = scratch.peeked().headEnd();
        for (int length = 0; length < headEnd; length++) {
          assertThat(Outcome.whole(parser, Arrays.copyOf(bytes, length)))
              .as("%d bytes of %s", length, expected.get("file"))
              .isEqualTo("incomplete");
          prefixes++;
        }
      }
    }
    assertThat(prefixes).isPositive();
  }

  private String http1(HeadParser parser, byte[] bytes) {
    String verdict = verdict(parser, bytes, "not-http");
    return verdict.equals("not-http")
            && Http1Parser.isHttp2Preface(Outcome.exactly(bytes, bytes.length), bytes.length)
        ? "h2-preface"
        : verdict + (verdict.equals("ok") ? " " + host() + " " + port() : "");
  }

  private String http2(HeadParser parser, byte[] bytes) {
    String verdict = verdict(parser, bytes, "not-h2");
    Peeked peeked = scratch.peeked();
    return verdict.equals("ok")
        ? "ok "
            + peeked.host().raw()
            + (peeked.port() < 0 ? "" : ":" + peeked.port())
            + " "
            + peeked.headEnd()
        : verdict;
  }

  private String host() {
    HostName host = scratch.peeked().host();
    return host.raw() + " " + host;
  }

  private @Nullable Integer port() {
    int port = scratch.peeked().port();
    return port < 0 ? null : port;
  }

  private static String verdict(HeadParser parser, byte[] bytes, String foreign) {
    parser.reset();
    return switch (parser.parse(Outcome.exactly(bytes, bytes.length), bytes.length)) {
      case Parsed.Found<Peeked> found -> "ok";
      case Parsed.Absent<Peeked> absent -> "no-host";
      case Parsed.Incomplete<Peeked> incomplete -> "incomplete";
      case Parsed.Invalid<Peeked> invalid -> "malformed";
      case Parsed.TooLarge<Peeked> tooLarge -> "too-large";
      case Parsed.Foreign<Peeked> other -> foreign;
    };
  }

  private static String http1Expectation(Map<String, @Nullable Object> expected, String seen) {
    return seen.startsWith("ok ")
        ? "ok " + expected.get("host") + " " + canonical(expected) + " " + expected.get("port")
        : seen;
  }

  /** The corpus keeps the trailing dot that routes do not see. */
  private static @Nullable String canonical(Map<String, @Nullable Object> expected) {
    return expected.get("host_norm") instanceof String name
        ? name.toLowerCase(Locale.ROOT).replaceFirst("[.]$", "")
        : null;
  }

  private static String http2Expectation(Map<String, @Nullable Object> expected, String seen) {
    return seen.startsWith("ok ")
        ? "ok " + expected.get("authority") + " " + expected.get("end")
        : seen;
  }

  /** A contested case may have any of its verdicts, but not other values. */
  private static void report(
      Map<String, @Nullable Object> expected, String seen, String wanted, List<String> wrong) {
    String verdict = seen.replaceFirst(" .*", "");
    List<?> accepted = (List<?>) Objects.requireNonNull(expected.get("accept"));
    boolean preferred = verdict.equals(expected.get("verdict"));
    if (!accepted.contains(verdict) || (preferred && !seen.equals(wanted))) {
      wrong.add(
          expected.get("file") + ": " + seen + ", not " + expected.get("verdict") + " " + wanted);
    } else if (isContested(expected) && !preferred) {
      System.err.println(
          "contested: " + expected.get("file") + ": " + seen + ", not " + expected.get("verdict"));
    }
  }

  private static boolean isContested(Map<String, @Nullable Object> expected) {
    return Objects.equals(expected.get("contested"), true);
  }

  private static byte[] bytes(Path directory, Map<String, @Nullable Object> expected)
      throws IOException {
    return Files.readAllBytes(directory.resolve((String) expected.get("file")));
  }
}
