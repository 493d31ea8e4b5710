package dev.peekpass.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FlightReportTest {
  private static final String RANDOM = "00".repeat(32);
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  private static String report(@Nullable FlightFormat as, byte[] bytes) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (FlightReport report = new FlightReport(as, 1 << 16, out)) {
      report.line(7, ByteBuffer.wrap(bytes));
    }
    return out.toString(US_ASCII);
  }

  private static String report(@Nullable FlightFormat as, String latin1) throws IOException {
    return report(as, latin1.getBytes(ISO_8859_1));
  }

  /** A ClientHello with these extensions in hexadecimal. */
  private static byte[] hello(String extensions) {
    String body = "0303" + RANDOM + "00" + "00021301" + "0100" + length(2, extensions);
    return HexFormat.of().parseHex("160301" + length(2, "01" + length(3, body)));
  }

  private static String length(int bytes, String hex) {
    return HexFormat.of().toHexDigits(hex.length() / 2, 2 * bytes) + hex;
  }

  private static String serverName(String name) {
    String hex = HexFormat.of().formatHex(name.getBytes(ISO_8859_1));
    return "0000" + length(2, length(2, "00" + length(2, hex)));
  }

  @Test
  void tellsWhatAHelloHolds() throws IOException {
    String extensions =
        serverName("A.example") + "0010" + "000c000a" + "026832" + "06" + "687474702f78";
    assertThat(report(null, hello(extensions + "fe0d0000")))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"tls\",\"verdict\":\"ok\",\"sni\":\"A.example\","
                + "\"alpn\":[\"h2\",\"http/x\"],\"hello_end\":90,\"records\":1,\"ech\":true}\n");
  }

  @Test
  void aHelloWithoutNamesIsOkAndItsSniNull() throws IOException {
    assertThat(report(FlightFormat.TLS, hello("")))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"tls\",\"verdict\":\"ok\",\"sni\":null,\"alpn\":[],"
                + "\"hello_end\":52,\"records\":1,\"ech\":false}\n");
  }

  @Test
  void bytesThatAreNotPrintableAreEscaped() throws IOException {
    assertThat(report(null, hello(serverName("a\"\u009b\u00ff"))))
        .contains("\"sni\":\"a\\\"\\u009B\\u00FF\",");
  }

  @Test
  void controlCharactersInAServerNameAreMalformed() throws IOException {
    for (String name : new String[] {"a\0", "a b", "a\nb", "a\u007f"}) {
      assertThat(report(null, hello(serverName(name))))
          .contains("\"verdict\":\"malformed\",\"reason\":\"server_name holds a control character");
    }
  }

  @Test
  void aHostFieldThatTheTargetOverrulesIsShownToo() throws IOException {
    assertThat(report(null, "GET http://a.example/ HTTP/1.1\r\nHost: b.example:8\r\n\r\n"))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"http\",\"verdict\":\"ok\",\"host\":\"a.example\","
                + "\"host_field\":\"b.example\"}\n");
    assertThat(report(null, "GET http://a.example/ HTTP/1.1\r\nHost: A.example\r\n\r\n"))
        .endsWith("\"host\":\"a.example\"}\n");
  }

  @Test
  void tlsVerdicts() throws IOException {
    assertThat(report(FlightFormat.TLS, "\u0016"))
        .isEqualTo("{\"line\":7,\"protocol\":\"tls\",\"verdict\":\"incomplete\"}\n");
    assertThat(report(FlightFormat.TLS, "GET")).contains("\"verdict\":\"not-tls\"}");
    assertThat(report(FlightFormat.TLS, "\u0016\3\1\0\0"))
        .contains("\"verdict\":\"malformed\",\"reason\":\"handshake record of length 0 (RFC ");
    assertThat(report(FlightFormat.TLS, "\u0016\3\1\1\1\1\u00ff\u00ff\u00ff"))
        .contains("\"verdict\":\"too-large\",\"reason\":\"larger than 65536 bytes\"}");
  }

  @Test
  void tellsWhatAnHttpHeadHolds() throws IOException {
    assertThat(report(null, "GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n"))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"http\",\"verdict\":\"ok\",\"host\":\"A.example\",\"port\":8080}\n");
    assertThat(report(FlightFormat.HTTP, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        .endsWith("\"verdict\":\"ok\",\"host\":\"a\"}\n");
  }

  @Test
  void httpVerdicts() throws IOException {
    assertThat(report(FlightFormat.HTTP, "GET / HTTP/1.0\r\n\r\n"))
        .isEqualTo("{\"line\":7,\"protocol\":\"http\",\"verdict\":\"no-host\"}\n");
    assertThat(report(FlightFormat.HTTP, "GET / HT")).contains("\"verdict\":\"incomplete\"}");
    assertThat(report(FlightFormat.HTTP, "GET / HTTP/1.1\r\n\r\n"))
        .contains("\"verdict\":\"malformed\",\"reason\":\"HTTP/1.1 without Host");
    assertThat(report(FlightFormat.HTTP, "\0")).contains("\"verdict\":\"not-http\"}");
    assertThat(report(FlightFormat.HTTP, PREFACE)).contains("\"verdict\":\"h2-preface\"}");
    assertThat(report(FlightFormat.HTTP, "GET / HTTP/1.1\r\nA: " + "x".repeat(1 << 16)))
        .contains("\"verdict\":\"too-large\"");
  }

  @Test
  void tellsWhatAnHttp2StartHolds() throws IOException {
    String settings = "\0\0\0\4\0\0\0\0\0";
    // RFC 7541: GET, http, / from the static table, :authority as a literal, index 1.
    String block = "\u0082\u0086\u0084\u0001\u000ba.example:8";
    String headers = "\0\0" + (char) block.length() + "\1\4\0\0\0\1" + block;
    assertThat(report(null, PREFACE + settings + headers))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"h2\",\"verdict\":\"ok\",\"authority\":\"a.example:8\","
                + "\"host\":\"a.example\",\"port\":8}\n");
  }

  @Test
  void h2Verdicts() throws IOException {
    assertThat(report(FlightFormat.H2, PREFACE)).contains("\"verdict\":\"incomplete\"}");
    assertThat(report(FlightFormat.H2, "GET /")).contains("\"verdict\":\"not-h2\"}");
    assertThat(report(FlightFormat.H2, PREFACE + "\0\0\0\7\0\0\0\0\0"))
        .contains("\"verdict\":\"malformed\",\"reason\":");
  }

  @Test
  void tellsWhatAProxyHeaderHolds() throws IOException {
    assertThat(report(FlightFormat.PROXY, "PROXY TCP6 1:0:0::2 ::ffff:1.2.3.4 5 6\r\n"))
        .isEqualTo(
            "{\"line\":7,\"protocol\":\"proxy\",\"verdict\":\"ok\",\"src\":\"1::2\",\"sport\":5,"
                + "\"dst\":\"::ffff:1.2.3.4\",\"dport\":6}\n");
    assertThat(report(FlightFormat.PROXY, "PROXY UNKNOWN\r\n"))
        .isEqualTo("{\"line\":7,\"protocol\":\"proxy\",\"verdict\":\"ok\"}\n");
    String unix = "/a" + "\0".repeat(106) + "/b" + "\0".repeat(106);
    assertThat(report(FlightFormat.PROXY, "\r\n\r\n\0\r\nQUIT\n!1\0\u00d8" + unix))
        .contains("\"verdict\":\"ok\",\"src\":\"/a\",\"dst\":\"/b\"}");
  }

  @Test
  void proxyVerdicts() throws IOException {
    assertThat(report(FlightFormat.PROXY, "PROXY TC")).contains("\"verdict\":\"incomplete\"}");
    assertThat(report(FlightFormat.PROXY, "PROXY TCP4 x")).contains("\"verdict\":\"malformed\",");
    assertThat(report(FlightFormat.PROXY, "GET")).contains("\"verdict\":\"not-proxy\"}");
  }

  @Test
  void withoutAProtocolTheFirstBytesDecide() throws IOException {
    assertThat(report(null, "")).endsWith("\"protocol\":null,\"verdict\":\"incomplete\"}\n");
    assertThat(report(null, "\0\1")).endsWith("\"protocol\":null,\"verdict\":\"unknown\"}\n");
    assertThat(report(null, "\u0016\3"))
        .contains("\"protocol\":\"tls\",\"verdict\":\"incomplete\"");
    assertThat(report(null, "PRI * ")).contains("\"protocol\":\"h2\",\"verdict\":\"incomplete\"");
    assertThat(report(null, "GET / HTTP/1.1\r\n\r\n"))
        .contains("\"protocol\":\"http\",\"verdict\":\"malformed");
  }

  @Test
  void everyFlightHasItsLineAndOneDoesNotDisturbTheNext() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (FlightReport report = new FlightReport(null, 1 << 16, out)) {
      report.file("a\u00e9", 0, ByteBuffer.wrap(hello(serverName("b"))));
      report.file("c", 3, ByteBuffer.wrap(hello("")));
      report.line(4, ByteBuffer.wrap("G".getBytes(US_ASCII)));
    }
    assertThat(out.toString(US_ASCII).lines().toList())
        .satisfiesExactly(
            line ->
                assertThat(line)
                    .startsWith("{\"file\":\"a\\u00E9\",\"protocol\"")
                    .contains("\"sni\":\"b\""),
            line ->
                assertThat(line).startsWith("{\"file\":\"c\",\"line\":3,").contains("\"sni\":null"),
            line -> assertThat(line).startsWith("{\"line\":4,\"protocol\":\"http\""));
  }

  @Test
  void onlyTheLimitIsLookedAt() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] hello = hello("");
    try (FlightReport report = new FlightReport(null, hello.length, out)) {
      report.line(1, ByteBuffer.wrap(Arrays.copyOf(hello, hello.length + 9)));
      report.line(2, ByteBuffer.wrap(hello(serverName("x"))));
    }
    assertThat(out.toString(US_ASCII))
        .contains("\"verdict\":\"ok\"")
        .contains("{\"line\":2,\"protocol\":\"tls\",\"verdict\":\"too-large\",");
  }
}
