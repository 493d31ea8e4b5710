package dev.peekpass.proxy;

import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;

/** ClientHellos as the JDK writes them. */
final class Hellos {
  private Hellos() {}

  /** A hello for a name, which may be one that no client would send. */
  static byte[] withName(String name) {
    // A valid name of the same length takes its place while the hello is made.
    byte[] hello = hello(List.of(new SNIHostName("n".repeat(name.length()))));
    String text = new String(hello, java.nio.charset.StandardCharsets.ISO_8859_1);
    return text.replace("n".repeat(name.length()), name)
        .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  static byte[] withoutName() {
    return hello(List.of());
  }

  private static byte[] hello(List<SNIServerName> names) {
    try {
      SSLEngine engine = SSLContext.getDefault().createSSLEngine();
      engine.setUseClientMode(true);
      SSLParameters parameters = engine.getSSLParameters();
      parameters.setServerNames(names);
      engine.setSSLParameters(parameters);
      ByteBuffer out = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
      engine.wrap(ByteBuffer.allocate(0), out);
      byte[] hello = new byte[out.position()];
      out.get(0, hello);
      return hello;
    } catch (GeneralSecurityException | SSLException e) {
      throw new AssertionError(e);
    }
  }
}
