package dev.peekpass.proxy.refusal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class AnswerTest {

  @Test
  void anAlertIsARecordOfTwoBytes() {
    assertThat(hex(Answer.tlsAlert(Answer.ALERT_UNRECOGNIZED_NAME))).isEqualTo("15030300020270");
  }

  @Test
  void aResponseSaysItsLengthAndEndsTheConnection() {
    assertThat(text(Answer.http1(421, "No site.")))
        .isEqualTo(
            """
            HTTP/1.1 421 Misdirected Request\r
            Content-Type: text/plain\r
            Content-Length: 9\r
            Connection: close\r
            \r
            No site.
            """);
  }

  @Test
  void aStatusWithoutAPhraseIsStillAStatusLine() {
    assertThat(text(Answer.http1(499, "x"))).startsWith("HTTP/1.1 499 \r\n");
  }

  @Test
  void goAwayFollowsAnEmptySettings() {
    assertThat(hex(Answer.http2GoAway(Answer.H2_REFUSED_STREAM, "no")))
        .isEqualTo("000000040000000000" + "00000a070000000000" + "00000000" + "00000007" + "6e6f");
  }

  private static byte[] bytes(Answer answer) {
    byte[] bytes = new byte[answer.length];
    answer.bytes.bytes().get(0, bytes);
    return bytes;
  }

  private static String hex(Answer answer) {
    return HexFormat.of().formatHex(bytes(answer));
  }

  private static String text(Answer answer) {
    return new String(bytes(answer), StandardCharsets.US_ASCII);
  }
}
