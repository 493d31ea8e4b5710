package dev.peekpass.cli.pki;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;

/** Reads private keys as certificate authorities and OpenSSL write them. */
final class PrivateKeyFile {
  private static final byte[] RSA = Der.sequence(Der.oid("1.2.840.113549.1.1.1"), Der.NULL);
  private static final byte[] EC_PUBLIC_KEY = Der.oid("1.2.840.10045.2.1");
  private static final int SEQUENCE = 0x30;
  private static final int INTEGER = 2;
  private static final int OCTET_STRING = 4;
  // ECPrivateKey.parameters, RFC 5915 section 3.
  private static final int EC_PARAMETERS = 0xa0;

  private PrivateKeyFile() {}

  /**
   * Reads the first key of a PEM file: PKCS#8 (RFC 5958), PKCS#1 for RSA (RFC 8017), or SEC 1 for
   * EC (RFC 5915).
   *
   * @throws IOException if there is none that can be read; the message names file and remedy
   */
  static PrivateKey read(Path file) throws IOException {
    List<Pem> blocks = Pem.read(file);
    for (Pem block : blocks) {
      if (!block.label().endsWith("PRIVATE KEY")) {
        continue;
      }
      if (block.encrypted() || block.label().equals("ENCRYPTED PRIVATE KEY")) {
        throw new IOException(
            file
                + ": the key is encrypted; decrypt it: openssl pkey -in "
                + file
                + " -out KEY.pem");
      }
      try {
        return switch (block.label()) {
          case "PRIVATE KEY" -> key(block.der(), "RSA", "EC", "EdDSA");
          case "RSA PRIVATE KEY" -> key(pkcs8(RSA, block.der()), "RSA");
          case "EC PRIVATE KEY" -> key(pkcs8(ecAlgorithm(block, blocks), block.der()), "EC");
          default ->
              throw new IOException(
                  file + ": " + block.label() + "s are not read; write an RSA, EC or Ed25519 key");
        };
      } catch (GeneralSecurityException | IllegalArgumentException e) {
        throw new IOException(
            file + ": the key cannot be read; write an RSA, EC or Ed25519 key: " + e.getMessage(),
            e);
      }
    }
    throw new IOException(file + ": no private key; write a PEM file with BEGIN PRIVATE KEY");
  }

  private static PrivateKey key(byte[] pkcs8, String... algorithms)
      throws GeneralSecurityException {
    GeneralSecurityException first = null;
    for (String algorithm : algorithms) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      } catch (GeneralSecurityException e) {
        if (first == null) {
          first = e;
        }
      }
    }
    throw first == null ? new GeneralSecurityException("no algorithm") : first;
  }

  private static byte[] pkcs8(byte[] algorithm, byte[] key) {
    return Der.sequence(Der.integer(0), algorithm, Der.octetString(key));
  }

  // The curve is in the key itself, or in a block before it.
  private static byte[] ecAlgorithm(Pem key, List<Pem> blocks) {
    ByteBuffer fields = Der.take(ByteBuffer.wrap(key.der()), SEQUENCE);
    Der.take(fields, INTEGER);
    Der.take(fields, OCTET_STRING);
    byte[] curve;
    if (fields.hasRemaining() && (fields.get(fields.position()) & 0xff) == EC_PARAMETERS) {
      ByteBuffer parameters = Der.take(fields, EC_PARAMETERS);
      curve = new byte[parameters.remaining()];
      parameters.get(curve);
    } else {
      curve =
          blocks.stream()
              .filter(block -> block.label().equals("EC PARAMETERS"))
              .findFirst()
              .orElseThrow(() -> new IllegalArgumentException("the key does not name its curve"))
              .der();
    }
    return Der.sequence(EC_PUBLIC_KEY, curve);
  }
}
