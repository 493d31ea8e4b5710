package dev.peekpass.proxy.probe;

import dev.peekpass.proxy.config.ProbeConfig;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Asks by a TLS handshake, with the JDK's TLS. Whether the certificate is to be trusted is for
 * clients to say, so that none is looked at: nothing secret is sent.
 */
final class TlsQuestion {
  private final SSLContext context;

  TlsQuestion() {
    try {
      context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {new AnyCertificate()}, null);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this JDK has no TLS", e);
    }
  }

  /** Asks. Whoever closes the socket ends the wait. */
  Finding ask(ProbeConfig.Tls tls, Socket socket) throws IOException {
    try (SSLSocket over =
        (SSLSocket)
            context
                .getSocketFactory()
                .createSocket(socket, tls.serverName(), socket.getPort(), true)) {
      SSLParameters parameters = over.getSSLParameters();
      parameters.setServerNames(List.of(new SNIHostName(tls.serverName())));
      over.setSSLParameters(parameters);
      over.startHandshake();
      return new Finding.Good();
    } catch (SSLException e) {
      return new Finding.Bad("the handshake fails: " + e.getMessage());
    }
  }

  private static final class AnyCertificate extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
