package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class IpAddressTest {
  @ParameterizedTest
  @CsvSource({
    "0.0.0.0, 0.0.0.0",
    "255.255.255.255, 255.255.255.255",
    "192.0.2.1, 192.0.2.1",
    "::ffff:192.0.2.1, 192.0.2.1",
    "::FFFF:c000:201, 192.0.2.1",
    "::, ::",
    "::1, ::1",
    "1::, 1::",
    "2001:DB8:0:0:1:0:0:1, 2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1, 2001:db8:0:1:1:1:1:1",
    "1:2:3:4:5:6:7::, 1:2:3:4:5:6:7:0",
    "::2:3:4:5:6:7:8, 0:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:1.2.3.4, 1:2:3:4:5:6:102:304",
    "64:ff9b::192.0.2.33, 64:ff9b::c000:221",
  })
  void readsAndPrints(String text, String printed) {
    assertThat(IpAddress.parse(text).orElseThrow()).hasToString(printed);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "1.2.3.4 ",
        "1..2.3",
        "a.b.c.d",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "12345::",
        "g::",
        "1.2.3.4::",
        "::1.2.3",
        "fe80::1%eth0",
        "[::1]",
        "::1/64",
        ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:",
        "example.com",
        "999999999999999999999.1.1.1"
      })
  void refuses(String text) {
    assertThat(IpAddress.parse(text)).isEmpty();
  }

  @Test
  void agreesWithTheJdkOnRandomAddresses() throws UnknownHostException {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      // Many zero groups, so that every place of a gap is met.
      long high = random.nextLong() & mask(random);
      long low = random.nextLong() & mask(random);
      IpAddress address = new IpAddress(high, low);
      byte[] bytes = ByteBuffer.allocate(16).putLong(high).putLong(low).array();
      InetAddress expected = InetAddress.getByAddress(bytes);
      assertThat(InetAddress.ofLiteral(address.toString())).isEqualTo(expected);
      if (expected instanceof Inet6Address) {
        assertThat(IpAddress.parse(expected.getHostAddress())).contains(address);
      }
      assertThat(IpAddress.parse(address.toString())).contains(address);
    }
  }

  private static long mask(Random random) {
    long mask = 0;
    for (int i = 0; i < 4; i++) {
      mask = mask << 16 | (random.nextBoolean() ? 0xffff : 0);
    }
    return mask;
  }

  @Test
  void knowsIpv4AndTheWildcards() {
    assertThat(IpAddress.ofIpv4(0x7f000001).isIpv4()).isTrue();
    assertThat(IpAddress.ofIpv4(-1)).hasToString("255.255.255.255");
    assertThat(Names.ip("::1").isIpv4()).isFalse();
    assertThat(Names.ip("::").isIpv6Any()).isTrue();
    assertThat(Names.ip("0.0.0.0").isIpv4Any()).isTrue();
    assertThat(Names.ip("0.0.0.0").isIpv6Any()).isFalse();
    assertThat(Names.ip("::1").isIpv6Any()).isFalse();
  }
}
