package dev.peekpass.matrix;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The throw-away key that all servers and clients of the matrix share. */
final class Tls {
  static final String PASSWORD = "changeit";

  private Tls() {}

  static KeyStore load(String keyStore) throws Exception {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(Path.of(keyStore))) {
      keys.load(in, PASSWORD.toCharArray());
    }
    return keys;
  }

  static KeyManagerFactory keys(String keyStore) throws Exception {
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(load(keyStore), PASSWORD.toCharArray());
    return keys;
  }

  static TrustManagerFactory trust(String keyStore) throws Exception {
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(load(keyStore));
    return trust;
  }

  /** For both sides. */
  static SSLContext context(String keyStore) throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys(keyStore).getKeyManagers(), trust(keyStore).getTrustManagers(), null);
    return context;
  }
}
