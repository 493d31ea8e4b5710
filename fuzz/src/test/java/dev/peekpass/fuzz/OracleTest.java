package dev.peekpass.fuzz;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The other readers are really asked, and a difference is found. */
class OracleTest {
  private static final Path CAPTURED = Path.of("..", "wire", "src", "test", "resources");

  private static byte[] captured(String name) throws IOException {
    return Files.readAllBytes(CAPTURED.resolve(name));
  }

  @Test
  void theJdkAndNettyReadTheNameOfAHello() throws IOException {
    byte[] hello = captured("corpus/openssl-tls13-sni-alpn.bin");
    Reading byNetty = HelloOracleTarget.byNetty(hello);
    assertThat(byNetty.host()).isNotEmpty();
    assertThat(HelloOracleTarget.byTheJdk(hello)).isEqualTo(byNetty);
    byte[] split = captured("corpus/split-records-of-1.bin");
    assertThat(HelloOracleTarget.byNetty(split).host()).isNotEmpty();
  }

  @Test
  void theJdkThatSeesNoNameIsToldFromOneThatRefuses() throws IOException {
    for (String nameless :
        new String[] {"openssl-tls13-no-sni.bin", "openssl-tls12-no-sni-alpn.bin", "curl-ip.bin"}) {
      byte[] hello = captured("corpus/" + nameless);
      assertThat(HelloOracleTarget.byTheJdk(hello)).as(nameless).isEqualTo(Reading.of(null));
      byte[] cut = Arrays.copyOf(hello, hello.length - 1);
      assertThat(HelloOracleTarget.byTheJdk(cut)).isEqualTo(Reading.REFUSED);
    }
    assertThat(HelloOracleTarget.byTheJdk(new byte[100])).isEqualTo(Reading.REFUSED);
  }

  @Test
  void nettyAndJettyReadTheHostOfAHead() throws IOException {
    byte[] head = captured("corpus-http/curl-http1.bin");
    Reading byNetty = Http1OracleTarget.byNetty(head);
    assertThat(byNetty.host()).isNotEmpty();
    assertThat(Http1OracleTarget.byJetty(head)).isEqualTo(byNetty);
    byte[] target =
        "GET http://B:80/ HTTP/1.1\r\nHost:\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    assertThat(Http1OracleTarget.byNetty(target)).isEqualTo(Reading.of("b"));
  }

  @Test
  void nettyReadsTheAuthorityOfARequest() throws IOException {
    assertThat(Http2OracleTarget.byNetty(captured("corpus-http/go-h2.bin")).host()).isNotEmpty();
    assertThat(Http2OracleTarget.byNetty(captured("corpus-http/node-h2-host.bin")).host())
        .isNotEmpty();
  }

  @Test
  void twoHostsAreADifferenceAndARefusalIsNone() {
    Reading one = Reading.of("a.example");
    one.expectSame(Reading.of("A.Example."), "itself");
    one.expectSame(Reading.REFUSED, "itself");
    assertThatThrownBy(() -> one.expectSame(Reading.of("b.example"), "itself"))
        .isInstanceOf(Promise.BrokenException.class);
    assertThatThrownBy(() -> one.expectSame(Reading.of(null), "itself"))
        .isInstanceOf(Promise.BrokenException.class);
    new Reading(false, "a", "b").expectSame(Reading.of("b"), "a reader of Host");
  }

  @Test
  void portsAndUserinfoAreNoPartOfAHost() {
    assertThat(Stream.of("a", "a:1", "u@a:1", "[::1]", "[::1]:8", "a:b").map(Reading::withoutPort))
        .containsExactly("a", "a", "a", "[::1]", "[::1]", "a:b");
  }
}
