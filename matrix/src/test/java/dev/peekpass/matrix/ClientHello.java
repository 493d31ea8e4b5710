package dev.peekpass.matrix;

import java.nio.ByteBuffer;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;

/** The first flight of a TLS client, alone. */
final class ClientHello {
  private ClientHello() {}

  static byte[] of(String host) {
    try {
      SSLEngine engine = SSLContext.getDefault().createSSLEngine(host, 443);
      engine.setUseClientMode(true);
      SSLParameters parameters = engine.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName(host)));
      engine.setSSLParameters(parameters);
      ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
      engine.wrap(ByteBuffer.allocate(0), out);
      byte[] hello = new byte[out.flip().remaining()];
      out.get(hello);
      return hello;
    } catch (java.security.GeneralSecurityException | javax.net.ssl.SSLException e) {
      throw new AssertionError(e);
    }
  }
}
