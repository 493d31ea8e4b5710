package dev.peekpass.wire;

import static dev.peekpass.wire.HelloBuilder.join;
import static dev.peekpass.wire.HelloBuilder.latin1;
import static dev.peekpass.wire.HelloBuilder.u16;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ProxyBinaryParserTest {
  private static final byte[] INET = {
    (byte) 192, 0, 2, 1, (byte) 198, 51, 100, 20, (byte) 0xdc, 4, 1, (byte) 0xbb
  };

  private final ProxyHeaderParser parser = new ProxyHeaderParser(1 << 17);

  static byte[] block(int versionCommand, int familyTransport, byte[]... rest) {
    byte[] block = join(rest);
    return join(
        ProxyHeaderParser.BINARY_SIGNATURE,
        new byte[] {(byte) versionCommand, (byte) familyTransport},
        u16(block.length),
        block);
  }

  private String read(byte[] header) {
    return ProxyOutcome.whole(parser, header);
  }

  @Test
  void readsIpv4() {
    assertThat(read(block(0x21, 0x11, INET)))
        .isEqualTo("v2 PROXY INET STREAM 192.0.2.1|56324 -> 198.51.100.20|443 end=28 tlvs=");
    assertThat(read(block(0x21, 0x12, INET))).startsWith("v2 PROXY INET DGRAM 192.0.2.1|56324");
  }

  @Test
  void readsIpv6AndKeepsIpv4MappedOnesAsIpv6() {
    byte[] addresses = new byte[36];
    addresses[15] = 1;
    addresses[26] = addresses[27] = (byte) 0xff;
    addresses[31] = 7;
    addresses[33] = 80;
    addresses[34] = 1;
    assertThat(read(block(0x21, 0x21, addresses)))
        .isEqualTo(
            "v2 PROXY INET6 STREAM 0:0:0:0:0:0:0:1|80 -> 0:0:0:0:0:ffff:0:7|256 end=52 tlvs=");
  }

  @Test
  void readsUnixPathsAbstractNamesAndNone() {
    byte[] addresses = new byte[216];
    System.arraycopy(latin1("/run/a\0junk"), 0, addresses, 0, 11);
    System.arraycopy(latin1("\0abs\0t"), 0, addresses, 108, 6);
    assertThat(read(block(0x21, 0x31, addresses)))
        .isEqualTo("v2 PROXY UNIX STREAM '/run/a' -> '\0abs\0t' end=232 tlvs=");
    assertThat(read(block(0x21, 0x32, new byte[216])))
        .isEqualTo("v2 PROXY UNIX DGRAM '' -> '' end=232 tlvs=");
    Arrays.fill(addresses, (byte) 'x');
    assertThat(read(block(0x21, 0x31, addresses))).contains("'" + "x".repeat(108) + "' ->");
  }

  @Test
  void passesOverTheBlockOfLocalAndUnspecified() {
    byte[] junk = {9, 9, 9, 9, 9};
    assertThat(read(block(0x20, 0xff, junk)))
        .isEqualTo("v2 LOCAL UNSPEC UNSPEC none -> none end=21 tlvs=");
    for (int familyTransport : new int[] {0x00, 0x01, 0x10, 0x20}) {
      assertThat(read(block(0x21, familyTransport, junk)))
          .isEqualTo("v2 PROXY UNSPEC UNSPEC none -> none end=21 tlvs=");
    }
    assertThat(read(Arrays.copyOf(block(0x20, 0, junk), 18))).isEqualTo("incomplete 3");
  }

  @Test
  void refusesUnassignedValuesAtTheirByte() {
    assertThat(read(Arrays.copyOf(block(0x11, 0x11, INET), 13))).startsWith("invalid: version");
    assertThat(read(Arrays.copyOf(block(0xa1, 0x11, INET), 13))).startsWith("invalid: version");
    assertThat(read(Arrays.copyOf(block(0x22, 0x11, INET), 13))).startsWith("invalid: command");
    assertThat(read(Arrays.copyOf(block(0x21, 0x41, INET), 14))).startsWith("invalid: unassigned");
    assertThat(read(Arrays.copyOf(block(0x21, 0xf1, INET), 14))).startsWith("invalid: unassigned");
    assertThat(read(Arrays.copyOf(block(0x21, 0x13, INET), 14))).startsWith("invalid: unassigned");
  }

  @Test
  void refusesALengthTooShortForTheAddressesAtOnce() {
    assertThat(read(Arrays.copyOf(block(0x21, 0x11, new byte[11]), 16)))
        .startsWith("invalid: too short");
    assertThat(read(block(0x21, 0x21, new byte[35]))).startsWith("invalid: too short");
    assertThat(read(block(0x21, 0x31, new byte[215]))).startsWith("invalid: too short");
  }

  @Test
  void readsTlvsInWireOrder() {
    byte[] tlvs = {2, 0, 3, 'a', '.', 'b', 4, 0, 0, (byte) 0xea, 0, 1, 5};
    assertThat(read(block(0x21, 0x11, INET, tlvs))).endsWith("end=41 tlvs=2:612e62,4:,234:05");
  }

  @Test
  void tlvsMustFitExactly() {
    byte[] over = block(0x21, 0x11, INET, new byte[] {2, 0, 4, 'a', '.', 'b'});
    assertThat(read(over)).startsWith("invalid: a TLV runs over");
    // Settled by its length, before its value is here.
    assertThat(read(Arrays.copyOf(over, 31))).startsWith("invalid: a TLV runs over");
    byte[] left = block(0x21, 0x11, INET, new byte[] {2, 0, 0, 9, 9});
    assertThat(read(left)).startsWith("invalid: a TLV runs over");
  }

  @Test
  void verifiesTheChecksum() {
    // The expected sum comes from a bitwise computation below, not from the class that is used.
    byte[] header =
        block(0x21, 0x11, INET, new byte[] {3, 0, 4, 0, 0, 0, 0}, new byte[] {4, 0, 1, 7});
    int sum = bitwiseCrc32c(header);
    for (int i = 0; i < 4; i++) {
      header[31 + i] = (byte) (sum >>> (24 - 8 * i));
    }
    assertThat(read(header)).startsWith("v2 PROXY INET");
    assertThat(ProxyOutcome.byteWise(parser, header)).startsWith("v2 PROXY INET");
    for (int at = 16; at < header.length; at++) {
      if ((at >= 28 && at <= 30) || (at >= 35 && at <= 37)) {
        continue; // the TLV headers
      }
      byte[] changed = header.clone();
      changed[at] ^= 1;
      assertThat(read(changed)).as("byte %d", at).startsWith("invalid: CRC32C does not match");
    }
  }

  /** RFC 4960 appendix B as reflected shift register, polynomial 0x1EDC6F41. */
  private static int bitwiseCrc32c(byte[] bytes) {
    int register = -1;
    for (byte b : bytes) {
      register ^= b & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        register = register >>> 1 ^ ((register & 1) == 0 ? 0 : 0x82f63b78);
      }
    }
    return ~register;
  }

  @Test
  void aChecksumHasFourBytesAndComesOnce() {
    assertThat(read(block(0x21, 0x11, INET, new byte[] {3, 0, 3, 0, 0, 0})))
        .startsWith("invalid: CRC32C of other than 4");
    byte[] crc = {3, 0, 4, 0, 0, 0, 0};
    assertThat(read(block(0x21, 0x11, INET, crc, crc)))
        .startsWith("invalid: CRC32C of other than 4");
  }

  @Test
  void theLongestHeaderIsRead() {
    byte[] value = new byte[65_535 - 12 - 3];
    byte[] header = block(0x21, 0x11, INET, new byte[] {5}, u16(value.length), value);
    assertThat(read(header)).contains("end=65551");
    assertThat(read(Arrays.copyOf(header, 65_550))).isEqualTo("incomplete 1");
  }
}
