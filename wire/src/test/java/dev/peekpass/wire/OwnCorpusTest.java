package dev.peekpass.wire;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@link ClientHelloParser} on the hellos of real clients in {@code src/test/resources/corpus}. */
class OwnCorpusTest {
  private final HeadParser parser = new ClientHelloParser(new ParserScratch(1 << 16));

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = OwnCorpusTest.class.getResourceAsStream("/corpus/" + name)) {
      return requireNonNull(in, name).readAllBytes();
    }
  }

  static Stream<String> cases() throws IOException {
    String index = new String(resource("index.tsv"), StandardCharsets.ISO_8859_1);
    return index.lines().filter(line -> !line.startsWith("#"));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void givesTheIndexedValuesAndIncompleteForEveryPrefix(String line) throws IOException {
    String[] columns = line.split("\t", -1);
    byte[] hello = resource(columns[0]);
    boolean named = !columns[1].equals("-");
    assertThat(HeadOutcome.whole(parser, hello))
        .isEqualTo(
            "%s TLS name=%s alpn=[%s] end=%s records=%s ech=%s"
                .formatted(
                    named ? "found" : "absent",
                    named ? columns[1] : "",
                    columns[2].equals("-") ? "" : columns[2].replace(",", ", "),
                    columns[3],
                    columns[4],
                    columns[5].equals("yes")));
    for (int length = 0; length < Integer.parseInt(columns[3]); length++) {
      assertThat(HeadOutcome.whole(parser, Arrays.copyOf(hello, length))).startsWith("incomplete");
    }
  }
}
