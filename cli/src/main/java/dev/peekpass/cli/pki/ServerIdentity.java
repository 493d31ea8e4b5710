package dev.peekpass.cli.pki;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/** A certificate chain and its private key. */
public final class ServerIdentity {
  private ServerIdentity() {}

  /**
   * Makes ready for handshakes.
   *
   * @param certificates a PEM file: the server's own certificate first, then those that lead to the
   *     root
   * @param key a PEM file, as {@link PrivateKeyFile} reads them
   * @throws IOException if one cannot be read or they do not belong together; the message names the
   *     file and the remedy
   */
  public static SSLContext load(Path certificates, Path key) throws IOException {
    Certificate[] chain = chain(certificates);
    PrivateKey privateKey = PrivateKeyFile.read(key);
    try {
      if (!belongTogether(privateKey, chain[0])) {
        throw new IOException(
            key
                + ": not the key of the first certificate in "
                + certificates
                + "; the server's own certificate must come first");
      }
      return context(chain, privateKey);
    } catch (GeneralSecurityException e) {
      throw new IOException(certificates + ": cannot be used for TLS: " + e.getMessage(), e);
    }
  }

  private static Certificate[] chain(Path file) throws IOException {
    List<Certificate> chain = new ArrayList<>();
    for (Pem block : Pem.read(file)) {
      if (block.label().equals("CERTIFICATE")) {
        try {
          chain.add(
              CertificateFactory.getInstance("X.509")
                  .generateCertificate(new ByteArrayInputStream(block.der())));
        } catch (CertificateException e) {
          throw new IOException(
              file + ": certificate " + (chain.size() + 1) + " cannot be read: " + e.getMessage(),
              e);
        }
      }
    }
    if (chain.isEmpty()) {
      throw new IOException(file + ": no certificate; write a PEM file with BEGIN CERTIFICATE");
    }
    return chain.toArray(new Certificate[0]);
  }

  // Signing shows it for every kind of key.
  private static boolean belongTogether(PrivateKey key, Certificate certificate)
      throws GeneralSecurityException {
    String kind = key.getAlgorithm();
    boolean sameKind =
        certificate.getPublicKey().getAlgorithm().startsWith("Ed")
            ? kind.startsWith("Ed")
            : certificate.getPublicKey().getAlgorithm().equals(kind);
    if (!sameKind) {
      return false;
    }
    Signature signature =
        Signature.getInstance(
            switch (kind) {
              case "RSA" -> "SHA256withRSA";
              case "EC" -> "SHA256withECDSA";
              default -> kind;
            });
    byte[] probe = "peekpass".getBytes(US_ASCII);
    signature.initSign(key);
    signature.update(probe);
    byte[] signed = signature.sign();
    signature.initVerify(certificate.getPublicKey());
    signature.update(probe);
    return signature.verify(signed);
  }

  private static SSLContext context(Certificate[] chain, PrivateKey key)
      throws GeneralSecurityException, IOException {
    // The store never leaves memory.
    char[] password = new char[0];
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, password);
    store.setKeyEntry("server", key, password, chain);
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, password);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    return context;
  }
}
