package dev.peekpass.cli.serve;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/**
 * What is known about a connection.
 *
 * @param remote the client's own address
 * @param local the address that the client connected to
 * @param tls empty for plain HTTP
 */
record ClientFacts(String remote, String local, Optional<Tls> tls) {
  /**
   * What the handshake agreed on.
   *
   * @param version for example {@code TLSv1.3}
   * @param serverName the SNI, empty when there was none
   * @param alpn the protocol agreed on, empty when the client named none
   */
  record Tls(String version, String serverName, String alpn) {}

  /** The facts of a plain connection. */
  static ClientFacts of(SocketChannel channel) throws IOException {
    return new ClientFacts(
        text((InetSocketAddress) channel.getRemoteAddress()),
        text((InetSocketAddress) channel.getLocalAddress()),
        Optional.empty());
  }

  /** These facts with those of a handshake. */
  ClientFacts with(Tls handshake) {
    return new ClientFacts(remote, local, Optional.of(handshake));
  }

  /** {@code 192.0.2.1:80} or {@code [2001:db8::1]:80}. */
  static String text(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + address.getPort();
  }
}
