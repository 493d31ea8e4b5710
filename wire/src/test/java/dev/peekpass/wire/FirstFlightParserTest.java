package dev.peekpass.wire;

import static dev.peekpass.wire.HelloBuilder.latin1;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class FirstFlightParserTest {
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  private final FirstFlightParser parser = new FirstFlightParser(new ParserScratch(1 << 16));

  @Test
  void nothingIsIncompleteAndOfNoProtocol() {
    assertThat(HeadOutcome.whole(parser, new byte[0])).isEqualTo("incomplete 1");
    assertThat(parser.protocol()).isNull();
  }

  @Test
  void takesByte22ForTls() {
    byte[] hello = new HelloBuilder().serverName("a.example").record();
    String whole = HeadOutcome.whole(parser, hello);
    assertThat(whole).startsWith("found TLS name=a.example ");
    assertThat(HeadOutcome.segmented(parser, hello, 1)).isEqualTo(whole);
    assertThat(parser.protocol()).isEqualTo(Protocol.TLS);
  }

  @Test
  void keepsTheProtocolWhenTheHelloIsIncompleteInvalidOrTooLarge() {
    byte[] hello = new HelloBuilder().record();
    assertThat(HeadOutcome.whole(parser, Arrays.copyOf(hello, 1))).startsWith("incomplete");
    assertThat(parser.protocol()).isEqualTo(Protocol.TLS);
    hello[5] = 2;
    assertThat(HeadOutcome.whole(parser, hello)).startsWith("invalid");
    assertThat(parser.protocol()).isEqualTo(Protocol.TLS);
    hello[5] = 1;
    hello[6] = 1;
    assertThat(HeadOutcome.whole(parser, hello)).startsWith("too large");
    assertThat(parser.protocol()).isEqualTo(Protocol.TLS);
  }

  @Test
  void takesTheRestForHttp1() {
    byte[] head = latin1("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    String whole = HeadOutcome.whole(parser, head);
    assertThat(whole).startsWith("found HTTP1 name=a.example ");
    assertThat(HeadOutcome.segmented(parser, head, 1)).isEqualTo(whole);
    assertThat(parser.protocol()).isEqualTo(Protocol.HTTP1);
    assertThat(HeadOutcome.whole(parser, latin1("GET / HTTP/1.1\r\n\r\n"))).startsWith("invalid");
    assertThat(parser.protocol()).isEqualTo(Protocol.HTTP1);
  }

  @Test
  void aMethodThatBeginsLikeThePrefaceIsHttp1() {
    byte[] head = latin1("PROPFIND / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    assertThat(HeadOutcome.segmented(parser, head, 1)).startsWith("found HTTP1 name=a.example ");
  }

  @Test
  void takesThePrefaceForHttp2AndItsPrefixesForIncomplete() {
    byte[] preface = latin1(PREFACE);
    for (int length = 1; length <= preface.length; length++) {
      assertThat(HeadOutcome.whole(parser, Arrays.copyOf(preface, length)))
          .startsWith("incomplete");
      assertThat(parser.protocol()).isEqualTo(length < 4 ? Protocol.HTTP1 : Protocol.HTTP2);
    }
    byte[] broken = latin1(PREFACE + "\0\0\0\7\0\0\0\0\0");
    String whole = HeadOutcome.whole(parser, broken);
    assertThat(whole).startsWith("invalid: ");
    assertThat(HeadOutcome.segmented(parser, broken, 1)).isEqualTo(whole);
    assertThat(parser.protocol()).isEqualTo(Protocol.HTTP2);
  }

  @Test
  void aPrefaceLongerThanTheLimitIsTooLarge() {
    FirstFlightParser small = new FirstFlightParser(new ParserScratch(10));
    assertThat(HeadOutcome.whole(small, latin1(PREFACE.substring(0, 9)))).isEqualTo("incomplete 1");
    assertThat(HeadOutcome.whole(small, latin1(PREFACE))).isEqualTo("too large 10");
  }

  @Test
  void otherBytesAreForeignAndOfNoProtocol() {
    assertThat(HeadOutcome.whole(parser, new byte[] {0, 1, 2})).isEqualTo("foreign");
    assertThat(parser.protocol()).isNull();
    assertThat(HeadOutcome.whole(parser, new byte[] {22, 2})).isEqualTo("foreign");
    assertThat(parser.protocol()).isNull();
  }

  @Test
  void resetForgetsTheChoice() {
    HeadOutcome.whole(parser, new HelloBuilder().record());
    parser.reset();
    assertThat(parser.protocol()).isNull();
    assertThat(HeadOutcome.whole(parser, latin1("GET / HTTP/1.1\r\nHost: b\r\n\r\n")))
        .startsWith("found HTTP1");
  }

  @Test
  void completeFlightsAllocateNothing() throws IOException {
    HelloBuilder browser = new HelloBuilder().serverName("a.example").alpn("h2", "http/1.1");
    byte[] large = browser.extension(51, new byte[1263]).extension(21, new byte[550]).record();
    assertThat(large.length).isBetween(1900, 2100);
    assertThat(Allocation.ofParsing(parser, large)).isZero();
    for (String file :
        List.of(
            "corpus/curl-http2.bin", "corpus-http/curl-http1.bin", "corpus-http/nghttp-h2.bin")) {
      try (InputStream in = FirstFlightParserTest.class.getResourceAsStream("/" + file)) {
        byte[] flight = requireNonNull(in, file).readAllBytes();
        assertThat(HeadOutcome.whole(parser, flight)).as(file).startsWith("found");
        assertThat(Allocation.ofParsing(parser, flight)).as(file).isZero();
      }
    }
  }
}
