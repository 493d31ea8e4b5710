package dev.peekpass.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PairTest {
  @ParameterizedTest
  @CsvSource({
    "*, ::, true",
    "*, 192.0.2.1, true",
    "0.0.0.0, ::, true",
    "[::], 0.0.0.0, true",
    "0.0.0.0, 127.0.0.1, false",
    "127.0.0.1, 127.0.0.1, true",
    "127.0.0.1, 0.0.0.0, false",
    "[::ffff:127.0.0.1], 127.0.0.1, true",
  })
  void namesWhatAServerBinds(String host, String bound, boolean named) {
    Pair pair = OptionsReader.read(host + ":80=unix:/a", null).getFirst();

    assertThat(pair.names(InetAddress.ofLiteral(bound), 80)).isEqualTo(named);
    assertThat(pair.names(InetAddress.ofLiteral(bound), 81)).isFalse();
  }
}
