package dev.peekpass.wire;

import static dev.peekpass.wire.HelloBuilder.join;
import static dev.peekpass.wire.HelloBuilder.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ProxyHeaderParserTest {
  private final ProxyHeaderParser parser = new ProxyHeaderParser(1 << 17);

  static Stream<byte[]> goodHeaders() {
    return Stream.of(
        latin1("PROXY TCP4 192.0.2.1 198.51.100.20 56324 443\r\n"),
        latin1("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 0 65535\r\n"),
        latin1("PROXY UNKNOWN\r\n"),
        latin1("PROXY UNKNOWN what ever\r\n"),
        ProxyBinaryParserTest.block(0x21, 0x11, new byte[12], new byte[] {1, 0, 2, 'h', '2'}),
        ProxyBinaryParserTest.block(0x21, 0x31, new byte[216], new byte[] {4, 0, 0}),
        ProxyBinaryParserTest.block(0x20, 0x00));
  }

  @ParameterizedTest
  @MethodSource("goodHeaders")
  void everyProperPrefixIsIncompleteAndNeverAsksForTooMuch(byte[] header) {
    for (int length = 0; length < header.length; length++) {
      String outcome = ProxyOutcome.whole(parser, Arrays.copyOf(header, length));
      assertThat(outcome).as("%d bytes", length).startsWith("incomplete ");
      int needed = Integer.parseInt(outcome.substring("incomplete ".length()));
      assertThat(needed).isBetween(1, header.length - length);
    }
    assertThat(ProxyOutcome.whole(parser, header)).contains("end=" + header.length);
  }

  @ParameterizedTest
  @MethodSource("goodHeaders")
  void whatFollowsTheHeaderDoesNotMatter(byte[] header) {
    String alone = ProxyOutcome.whole(parser, header);
    assertThat(ProxyOutcome.whole(parser, join(header, latin1("\r\nGET /")))).isEqualTo(alone);
  }

  @ParameterizedTest
  @MethodSource("goodHeaders")
  void mutationsNeverThrowAndDoNotDependOnSegmentation(byte[] header) {
    Random random = new Random(header.length);
    for (int round = 0; round < 3000; round++) {
      byte[] mutated = header.clone();
      for (int change = random.nextInt(1, 4); change > 0; change--) {
        mutated[random.nextInt(mutated.length)] = (byte) random.nextInt();
      }
      assertThat(ProxyOutcome.byteWise(parser, mutated))
          .isEqualTo(ProxyOutcome.whole(parser, mutated));
    }
  }

  @Test
  void otherProtocolsAreForeignAtTheFirstByteThatTells() {
    assertThat(ProxyOutcome.whole(parser, "")).isEqualTo("incomplete 1");
    assertThat(ProxyOutcome.whole(parser, "P")).isEqualTo("incomplete 1");
    assertThat(ProxyOutcome.whole(parser, "PO")).isEqualTo("foreign");
    assertThat(ProxyOutcome.whole(parser, "GET / HTTP/1.1\r\n")).isEqualTo("foreign");
    assertThat(ProxyOutcome.whole(parser, "\u0016")).isEqualTo("foreign");
    assertThat(ProxyOutcome.whole(parser, "PROXYTCP4")).isEqualTo("foreign");
    assertThat(ProxyOutcome.whole(parser, "\r\nG")).isEqualTo("foreign");
    assertThat(ProxyOutcome.whole(parser, "\r\n\r\n\0\r\nQUIT")).isEqualTo("incomplete 1");
    assertThat(ProxyOutcome.whole(parser, "\r\n\r\n\0\r\nQUIT\r")).isEqualTo("foreign");
  }

  @ParameterizedTest
  @MethodSource("goodHeaders")
  void theLimitIsExact(byte[] header) {
    assertThat(ProxyOutcome.byteWise(new ProxyHeaderParser(header.length), header))
        .contains("end=" + header.length);
    ProxyHeaderParser small = new ProxyHeaderParser(header.length - 1);
    assertThat(ProxyOutcome.byteWise(small, header)).isEqualTo("too large " + (header.length - 1));
    assertThat(ProxyOutcome.whole(small, header)).isEqualTo("too large " + (header.length - 1));
  }
}
