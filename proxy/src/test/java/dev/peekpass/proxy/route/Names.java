package dev.peekpass.proxy.route;

import dev.peekpass.wire.AlpnList;
import dev.peekpass.wire.HostName;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Short ways to say what a client sent. */
final class Names {
  static final AlpnList NO_ALPN = AlpnList.of(List.of());

  private Names() {}

  static HostName host(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    HostName host = new HostName();
    host.set(ByteBuffer.wrap(bytes), 0, bytes.length);
    return host;
  }

  static HostPattern pattern(String text) {
    Reading<HostPattern> reading =
        text.startsWith("/")
            ? HostPattern.parseRegex(text.substring(1, text.length() - 1))
            : HostPattern.parseHost(text);
    if (reading instanceof Reading.Good<HostPattern>(HostPattern value)) {
      return value;
    }
    throw new IllegalArgumentException(reading.toString());
  }

  static Cidr cidr(String text) {
    if (Cidr.parse(text) instanceof Reading.Good<Cidr>(Cidr value)) {
      return value;
    }
    throw new IllegalArgumentException(text);
  }

  static IpAddress ip(String text) {
    return IpAddress.parse(text).orElseThrow();
  }
}
