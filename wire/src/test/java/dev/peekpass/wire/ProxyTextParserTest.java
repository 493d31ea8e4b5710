package dev.peekpass.wire;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProxyTextParserTest {
  private final ProxyHeaderParser parser = new ProxyHeaderParser(1 << 16);

  private String read(String line) {
    return ProxyOutcome.whole(parser, line);
  }

  @Test
  void readsIpv4() {
    assertThat(read("PROXY TCP4 192.0.2.1 198.51.100.20 56324 443\r\nGET /"))
        .isEqualTo("v1 PROXY INET STREAM 192.0.2.1|56324 -> 198.51.100.20|443 end=46 tlvs=");
  }

  @Test
  void readsIpv6AndKeepsIpv4MappedOnesAsIpv6() {
    assertThat(read("PROXY TCP6 1:2:3::4 ::FFFF:1.2.3.4 65535 0\r\n"))
        .isEqualTo(
            "v1 PROXY INET6 STREAM 1:2:3:0:0:0:0:4|65535 -> 0:0:0:0:0:ffff:102:304|0 end=44 tlvs=");
  }

  @Test
  void unknownHasNoAddressesWhateverFollows() {
    assertThat(read("PROXY UNKNOWN\r\n"))
        .isEqualTo("v1 PROXY UNSPEC UNSPEC none -> none end=15 tlvs=");
    assertThat(read("PROXY UNKNOWN \r \n \u00ff ::1 x\r\nrest"))
        .isEqualTo("v1 PROXY UNSPEC UNSPEC none -> none end=27 tlvs=");
  }

  @Test
  void theLineHasAtMost107Bytes() {
    String start = "PROXY UNKNOWN ";
    assertThat(read(start + "x".repeat(107 - 2 - start.length()) + "\r\n")).contains("end=107");
    assertThat(read(start + "x".repeat(106 - start.length()))).isEqualTo("incomplete 1");
    assertThat(read(start + "x".repeat(107 - start.length())))
        .isEqualTo("invalid: no CRLF in the first 107 bytes (PROXY protocol 2.1)");
    assertThat(read(start + "x".repeat(108 - 2 - start.length()) + "\r\n")).startsWith("invalid");
  }

  @ParameterizedTest
  @CsvSource({
    "'PROXY t', neither",
    "'PROXY  ', neither",
    "'PROXY TCP5', neither",
    "'PROXY UD', neither",
    "'PROXY UNKNOWNX', neither",
    "'PROXY TCP4 1.2.3.4  ', bad address",
    "'PROXY TCP4 :', bad address",
    "'PROXY TCP6 1.', bad address",
    "'PROXY TCP4 1.2.3.4 5.6.7.8 01', bad port",
    "'PROXY TCP4 1.2.3.4 5.6.7.8 65536', bad port",
    "'PROXY TCP4 1.2.3.4 5.6.7.8  ', bad port",
    "'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 ', bad port",
    "'PROXY TCP4 1.2.3.4 5.6.7.8 -', bad port"
  })
  void refusesAtTheFirstWrongByte(String line, String reason) {
    assertThat(read(line)).startsWith("invalid: " + reason);
    assertThat(read(line.substring(0, line.length() - 1))).isEqualTo("incomplete 1");
  }

  @Test
  void aBareCrOrLfDoesNotEndTheLine() {
    assertThat(read("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n")).startsWith("invalid: bad port");
    assertThat(read("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX")).startsWith("invalid: no CRLF where");
    assertThat(read("PROXY UNKNOWN\rX")).startsWith("invalid: no CRLF where");
    assertThat(read("PROXY UNKNOWN\n")).startsWith("invalid: neither");
  }
}
