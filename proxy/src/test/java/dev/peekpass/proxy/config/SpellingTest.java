package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SpellingTest {
  @ParameterizedTest
  @CsvSource({
    "'', abc, 3",
    "abc, abc, 0",
    "abc, abd, 1",
    "abc, ab, 1",
    "abc, acb, 1",
    "kitten, sitting, 3",
    "ca, abc, 3"
  })
  void countsEdits(String from, String to, int edits) {
    assertThat(Spelling.distance(from, to)).isEqualTo(edits);
    assertThat(Spelling.distance(to, from)).isEqualTo(edits);
  }

  @Test
  void findsTheNearestWord() {
    List<String> words = List.of("bind", "backlog", "peek", "peek-timeout");
    assertThat(Spelling.nearest("bidn", words)).contains("bind");
    assertThat(Spelling.nearest("peek_timeout", words)).contains("peek-timeout");
    assertThat(Spelling.nearest("listen", words)).isEmpty();
    assertThat(Spelling.nearest("", words)).isEmpty();
    assertThat(Spelling.nearest("b".repeat(65), words)).isEmpty();
  }
}
