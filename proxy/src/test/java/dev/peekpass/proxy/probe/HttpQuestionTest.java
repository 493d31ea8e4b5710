package dev.peekpass.proxy.probe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.config.ProbeConfig;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class HttpQuestionTest {
  private static final ProbeConfig.Http ANY = new ProbeConfig.Http("/", "a", List.of());
  private static final ProbeConfig.Http SOME = new ProbeConfig.Http("/", "a", List.of(401, 503));

  @ParameterizedTest
  @ValueSource(strings = {"HTTP/1.1 200 OK\r", "HTTP/1.0 204", "HTTP/1.1 399 \r"})
  void anyStatusOfSuccessIsGood(String line) {
    assertThat(HttpQuestion.judge(ANY, line)).isEqualTo(new Finding.Good());
    assertThat(HttpQuestion.judge(SOME, line)).isInstanceOf(Finding.Bad.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"HTTP/1.1 401 Unauthorized\r", "HTTP/1.1 503 Later\r"})
  void orThoseThatAreExpected(String line) {
    assertThat(HttpQuestion.judge(ANY, line)).isInstanceOf(Finding.Bad.class);
    assertThat(HttpQuestion.judge(SOME, line)).isEqualTo(new Finding.Good());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "\r", "HTTP/1.1", "HTTP/2 200 OK", "HTTP/1.1 2000 OK", "220 mail ESMTP\r"})
  void whatIsNoStatusLineIsBad(String line) {
    assertThat(HttpQuestion.judge(ANY, line)).isInstanceOf(Finding.Bad.class);
  }
}
