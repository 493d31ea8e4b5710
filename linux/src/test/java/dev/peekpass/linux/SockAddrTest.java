package dev.peekpass.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.Inet6Address;
import java.net.InetAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SockAddrTest {

  @ParameterizedTest
  @CsvSource({
    "192.0.2.1, 443, 192.0.2.1:443",
    "::1, 80, [::1]:80",
    "2001:db8::1:0:0:1, 1, [2001:db8::1:0:0:1]:1",
    "2001:0:0:1:0:0:0:1, 65535, [2001:0:0:1::1]:65535",
    "::, 0, [::]:0",
    "fe80:1:2:3:4:5:6:7, 9, [fe80:1:2:3:4:5:6:7]:9"
  })
  void keepsAnAddressAndShowsItInItsShortForm(String address, int port, String text)
      throws Exception {
    SockAddr sockAddr = new SockAddr();
    sockAddr.inet(InetAddress.ofLiteral(address), port, 0);

    assertThat(sockAddr).hasToString(text);
    assertThat(sockAddr.port()).isEqualTo(port);
    assertThat(sockAddr.inetAddress()).isEqualTo(InetAddress.ofLiteral(address));
  }

  @Test
  void aLinkLocalAddressKeepsItsInterface() throws Exception {
    SockAddr sockAddr = new SockAddr();
    sockAddr.inet(InetAddress.ofLiteral("fe80::1"), 443, 7);

    assertThat(((Inet6Address) sockAddr.inetAddress()).getScopeId()).isEqualTo(7);
  }

  @Test
  void ipv4CountsAsMappedIpv6() throws Exception {
    SockAddr v4 = new SockAddr();
    v4.inet(InetAddress.ofLiteral("192.0.2.1"), 1, 0);

    assertThat(v4.high()).isZero();
    assertThat(v4.low()).isEqualTo(0xffff_c000_0201L);
  }

  @Test
  void aUnixPathMayFillTheStructureButNotMore() {
    SockAddr sockAddr = new SockAddr();
    String longest = "/" + "x".repeat(SockAddr.UNIX_PATH_MAX_BYTES - 1);
    sockAddr.unix(longest);

    assertThat(sockAddr).hasToString("unix:" + longest);
    assertThatThrownBy(() -> sockAddr.unix(longest + "x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("108");
    assertThatThrownBy(() -> sockAddr.unix("")).isInstanceOf(IllegalArgumentException.class);
  }
}
