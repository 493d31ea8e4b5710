package dev.peekpass.wire;

import static dev.peekpass.wire.Outcome.latin1;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IpLiteralTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "::",
        "::1",
        "1::",
        "2001:db8::1",
        "2001:DB8:0:0:8:800:200C:417A",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1:2:3::6:7:8",
        "::ffff:192.0.2.1",
        "::192.0.2.1",
        "64:ff9b::255.255.255.255",
        "1:2:3:4:5:6:0.0.0.0",
        "v1.a",
        "V1F.fe80::a+en1"
      })
  void acceptsWhatRfc3986Allows(String literal) {
    assertThat(isValid(literal)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ":",
        "1",
        ":1",
        "1:",
        ":::",
        "1:::2",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4::5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "12345::",
        "g::",
        "::1%25eth0",
        "fe80::1%eth0",
        "1.2.3.4",
        "::1.2.3",
        "::1.2.3.4.5",
        "::1.2.3.256",
        "::1.2.3.04",
        "::1.2.3.4:5",
        "::1..3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::12345.2.3.4",
        "v.a",
        "v1.",
        "v1",
        "vg.a",
        "v1.a/b",
        "::1 "
      })
  void refusesWhatRfc3986DoesNot(String literal) {
    assertThat(isValid(literal)).isFalse();
  }

  private static boolean isValid(String literal) {
    // Digits around it must not be read.
    byte[] bytes = latin1("1" + literal + "1");
    return IpLiteral.isValid(ByteBuffer.wrap(bytes), 1, bytes.length - 1);
  }
}
