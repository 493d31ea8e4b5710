package dev.peekpass.proxy.route;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CidrTest {
  @ParameterizedTest
  @CsvSource({
    "10.0.0.0/8, 10.0.0.0/8",
    "10.1.2.3, 10.1.2.3/32",
    "0.0.0.0/0, 0.0.0.0/0",
    "::ffff:10.0.0.0/104, 10.0.0.0/8",
    "2001:db8::/32, 2001:db8::/32",
    "2001:db8::1, 2001:db8::1/128",
    "::/0, ::/0",
  })
  void readsAndPrints(String text, String printed) {
    assertThat(Names.cidr(text)).hasToString(printed);
  }

  @ParameterizedTest
  @CsvSource({
    "10.0.0.1/8, write 10.0.0.0/8",
    "2001:db8::1/32, write 2001:db8::/32",
    "10.0.0.0/33, write a number from 0 to 32 behind the slash",
    "10.0.0.0/, write a number from 0 to 32 behind the slash",
    "10.0.0.0/-1, write a number from 0 to 32 behind the slash",
    "::/129, write a number from 0 to 128 behind the slash",
    "office, 'write an IPv4 or IPv6 address, or a block like 192.0.2.0/24 or 2001:db8::/32'",
  })
  void refusesWithARemedy(String text, String remedy) {
    assertThat(Cidr.parse(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad -> {
              assertThat(bad.remedy()).isEqualTo(remedy);
              assertThat(bad.problem()).contains(text);
            });
  }

  @ParameterizedTest
  @CsvSource({
    "10.0.0.0/8, 10.255.255.255, true",
    "10.0.0.0/8, 11.0.0.0, false",
    "10.0.0.0/8, 9.255.255.255, false",
    "10.0.0.0/8, ::10.0.0.1, false",
    "0.0.0.0/0, 203.0.113.9, true",
    "0.0.0.0/0, 2001:db8::1, false",
    "::/0, 203.0.113.9, true",
    "2001:db8::/32, 2001:db8:ffff::1, true",
    "2001:db8::/32, 2001:db9::, false",
    "2001:db8::/64, 2001:db8::ffff:0:0:1, true",
    "2001:db8::/65, 2001:db8::ffff:0:0:1, false",
    "2001:db8::1/128, 2001:db8::1, true",
    "2001:db8::1/128, 2001:db8::2, false",
  })
  void contains(String block, String address, boolean inside) {
    IpAddress ip = Names.ip(address);
    assertThat(Names.cidr(block).contains(ip.high(), ip.low())).isEqualTo(inside);
  }

  @Test
  void lastIsTheBlocksLastAddress() {
    assertThat(Names.cidr("10.0.0.0/8").last()).hasToString("10.255.255.255");
    assertThat(Names.cidr("2001:db8::/32").last())
        .hasToString("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    assertThat(Names.cidr("::1").last()).hasToString("::1");
  }

  @Test
  void cannotBeMadeWrong() {
    assertThatThrownBy(() -> new Cidr(Names.ip("10.0.0.1"), 104))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Cidr(Names.ip("::"), 129))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
