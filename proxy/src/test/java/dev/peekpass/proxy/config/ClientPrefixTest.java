package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.IpAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class ClientPrefixTest {
  @ParameterizedTest
  @CsvSource({
    "192.0.2.77, 32, 64, 192.0.2.77",
    "192.0.2.77, 24, 64, 192.0.2.0",
    "192.0.2.77, 1, 128, 128.0.0.0",
    "::ffff:192.0.2.77, 24, 1, 192.0.2.0",
    "2001:db8:1:2:3:4:5:6, 32, 64, 2001:db8:1:2::",
    "2001:db8:1:2:3:4:5:6, 1, 128, 2001:db8:1:2:3:4:5:6",
    "2001:db8:1:2:3:4:5:6, 1, 127, 2001:db8:1:2:3:4:5:6",
    "2001:db8:1:2:3:4:5:7, 1, 127, 2001:db8:1:2:3:4:5:6",
    "2001:db8:1:2:ff03:4:5:6, 1, 65, 2001:db8:1:2:8000::",
    "2001:db8:1:2:3:4:5:6, 32, 48, 2001:db8:1::",
    "ffff:db8:1:2:3:4:5:6, 32, 1, 8000::"
  })
  void isTheFirstBitsOfAnAddress(String address, int ipv4, int ipv6, String client) {
    IpAddress ip = IpAddress.parse(address).orElseThrow();
    ClientPrefix prefix = new ClientPrefix(ipv4, ipv6);
    assertThat(
            new IpAddress(prefix.high(ip.high(), ip.low()), prefix.low(ip.high(), ip.low()))
                .toString())
        .isEqualTo(client);
  }
}
