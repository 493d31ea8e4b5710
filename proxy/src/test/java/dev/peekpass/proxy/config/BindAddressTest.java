package dev.peekpass.proxy.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.proxy.route.Reading;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class BindAddressTest {
  @ParameterizedTest
  @CsvSource({
    "0.0.0.0:443, 0.0.0.0:443",
    "[::]:443, [::]:443",
    "*:443, [::]:443",
    "[2001:DB8::1]:65535, [2001:db8::1]:65535",
    "127.0.0.1:0, 127.0.0.1:0",
  })
  void readsAndPrints(String text, String printed) {
    assertThat(BindAddress.parse(text))
        .isInstanceOfSatisfying(
            Reading.Good.class, good -> assertThat(good.value()).hasToString(printed));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "443|is not ADDRESS:PORT|[::]:443",
        "8080|is not ADDRESS:PORT|[::]:8080",
        "[::1]|is not ADDRESS:PORT|[::]:443",
        "127.0.0.1|is not ADDRESS:PORT|[::]:443",
        "127.0.0.1:65536|is not a port|65535",
        "127.0.0.1:|is not a port|65535",
        "127.0.0.1:http|is not a port|65535",
        "localhost:443|has no IP address|127.0.0.1:443",
        ":443|has no IP address|127.0.0.1:443",
        "[fe80::1%eth0]:443|has a zone|without %",
        "2001:db8::1:443|has IPv6 without brackets|[ADDRESS]:PORT",
        "[127.0.0.1]:443|has brackets around IPv4|127.0.0.1:443",
      })
  void refusesWithARemedy(String text, String problem, String remedy) {
    assertThat(BindAddress.parse(text))
        .isInstanceOfSatisfying(
            Reading.Bad.class,
            bad -> {
              assertThat(bad.problem()).contains(problem);
              assertThat(bad.remedy()).contains(remedy);
            });
  }
}
