package dev.peekpass.wire;

import static dev.peekpass.wire.AddressText.INCOMPLETE;
import static dev.peekpass.wire.AddressText.INVALID;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AddressTextTest {

  private static int read(String text, byte[] address) {
    byte[] bytes = HelloBuilder.latin1(text);
    return AddressText.read(ByteBuffer.wrap(bytes), 0, bytes.length, address);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0", "255.255.255.255", "10.20.30.40", "1.2.3.100"})
  void readsIpv4AndEveryPrefixIsIncomplete(String text) throws Exception {
    reads(text, new byte[4]);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "::",
        "::1",
        "1::",
        "1:2:3::4",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "FFFF:ffff:0:0000:1:22:333:4444",
        "2001:db8::1:0:0:1",
        "::1.2.3.4",
        "::ffff:192.0.2.1",
        "1:2:3:4:5:6:77.88.99.0",
        "1::5:255.0.0.1"
      })
  void readsIpv6AndEveryPrefixIsIncomplete(String text) throws Exception {
    reads(text, new byte[16]);
  }

  /** Against the JDK's own reading; InetAddress never looks a literal up. */
  private static void reads(String text, byte[] address) throws Exception {
    assertThat(read(text + " x", address)).isEqualTo(text.length() + 1);
    byte[] expected = InetAddress.getByName(text).getAddress();
    byte[] got = AddressText.address(address).getAddress();
    assertThat(got).hasSize(address.length);
    // The JDK makes IPv4 of IPv4-mapped addresses, this does not.
    assertThat(InetAddress.getByAddress(got).getAddress()).isEqualTo(expected);
    for (int length = 0; length <= text.length(); length++) {
      assertThat(read(text.substring(0, length), address)).isEqualTo(INCOMPLETE);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"01", "256", "1.2.3.4.", "1..", ".", "1.2.3 ", "1.2.3.4x", "a", "-", " "})
  void refusesBadIpv4AtItsLastByte(String text) {
    assertThat(read(text, new byte[4])).isEqualTo(INVALID);
    assertThat(read(text.substring(0, text.length() - 1), new byte[4])).isEqualTo(INCOMPLETE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "12345",
        ":1",
        ": ",
        ":::",
        "1:::",
        "1::2::",
        "1: ",
        "::1: ",
        "1:2:3:4:5:6:7:8:",
        "1::2:3:4:5:6:7:",
        "1:2:3:4:5:6:7 ",
        "1:2:3:4:5:6:7::8",
        "1.",
        "::1.2.3.256",
        "::01.",
        "::ff.",
        "1:2:3:4:5:6:7:1.",
        "1::2:3:4:5:6:1.",
        "g",
        "1%",
        " ",
        "\u00ff"
      })
  void refusesBadIpv6AtItsLastByte(String text) {
    assertThat(read(text, new byte[16])).isEqualTo(INVALID);
    String before = text.substring(0, text.length() - 1);
    assertThat(read(before, new byte[16])).isEqualTo(INCOMPLETE);
  }

  @ParameterizedTest
  @CsvSource({
    "::, ::",
    "::1, ::1",
    "1:0:0:0:0:0:0:0, 1::",
    "2001:DB8:0:0:1:0:0:1, 2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1, 2001:db8:0:1:1:1:1:1",
    "1:0:0:2:0:0:0:3, 1:0:0:2::3",
    "0:0:1:2:3:4:5:6, ::1:2:3:4:5:6",
    "1:2:3:4:5:6:0:0, 1:2:3:4:5:6::",
    "0:1:2:3:4:5:6:0, 0:1:2:3:4:5:6:0",
    "::ffff:c000:201, ::ffff:192.0.2.1",
    "::ffff:0:0, ::ffff:0.0.0.0",
    "::fffe:c000:201, ::fffe:c000:201"
  })
  void writesIpv6AsRfc5952Says(String text, String expected) {
    byte[] address = new byte[16];
    assertThat(read(text + " ", address)).isPositive();
    assertThat(AddressText.text(address)).isEqualTo(expected);
    byte[] again = new byte[16];
    assertThat(read(expected + " ", again)).isPositive();
    assertThat(again).isEqualTo(address);
  }

  @Test
  void writesIpv4() {
    byte[] address = {(byte) 192, 0, 2, (byte) 255};
    assertThat(AddressText.text(address)).isEqualTo("192.0.2.255");
  }
}
