package dev.peekpass.cli.pki;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;

/**
 * A certificate authority that lives as long as a demo or a test: its key is never written. The
 * certificates follow RFC 5280 with ECDSA on P-256.
 *
 * <p>Written out here because the JDK can make certificates only through its keytool program, which
 * takes a second for each.
 */
public final class ThrowAwayAuthority {
  private static final Duration VALID_FOR = Duration.ofDays(30);
  // Clocks differ a little between the machines, or containers, that look at a certificate.
  private static final Duration VALID_SINCE = Duration.ofHours(1);
  private static final byte[] ECDSA_WITH_SHA256 = Der.sequence(Der.oid("1.2.840.10045.4.3.2"));
  private static final byte[] SERVER_AUTHENTICATION = Der.oid("1.3.6.1.5.5.7.3.1");
  private static final int DNS_NAME = 2;
  private static final int VERSION_3 = 2;

  private final SecureRandom random = new SecureRandom();
  private final Instant now;
  private final KeyPair keys;
  private final byte[] name;
  private final byte[] certificate;

  /**
   * A certificate and its key.
   *
   * @param certificatePem one CERTIFICATE
   * @param keyPem one PRIVATE KEY, PKCS#8
   */
  public record Issued(String certificatePem, String keyPem) {}

  /**
   * An authority with a new key.
   *
   * @param commonName how it shows in messages
   * @param now what its certificates are valid around: from an hour before to 30 days after
   */
  public ThrowAwayAuthority(String commonName, Instant now) {
    this.now = now;
    try {
      keys = newKeys();
      name = name(commonName);
      // keyCertSign and cRLSign, RFC 5280 section 4.2.1.3.
      byte[] usage = extension("2.5.29.15", true, Der.bits(0b0000_0110, 1));
      byte[] constraints = extension("2.5.29.19", true, Der.sequence(Der.yes()));
      byte[] keyId = extension("2.5.29.14", false, Der.octetString(keyId(keys)));
      certificate = certificate(name, keys, constraints, usage, keyId);
    } catch (GeneralSecurityException e) {
      throw missing(e);
    }
  }

  /** The certificate to trust. */
  public String certificatePem() {
    return Pem.text("CERTIFICATE", certificate);
  }

  /** A certificate for a server. */
  public Issued issue(String hostName) {
    try {
      KeyPair server = newKeys();
      byte[] dnsName = Der.implicit(DNS_NAME, hostName.getBytes(US_ASCII));
      byte[] issued =
          certificate(
              name(hostName),
              server,
              extension("2.5.29.19", true, Der.sequence()),
              // digitalSignature
              extension("2.5.29.15", true, Der.bits(0b1000_0000, 7)),
              extension("2.5.29.37", false, Der.sequence(SERVER_AUTHENTICATION)),
              extension("2.5.29.17", false, Der.sequence(dnsName)),
              extension("2.5.29.35", false, Der.sequence(Der.implicit(0, keyId(keys)))));
      return new Issued(
          Pem.text("CERTIFICATE", issued),
          Pem.text("PRIVATE KEY", server.getPrivate().getEncoded()));
    } catch (GeneralSecurityException e) {
      throw missing(e);
    }
  }

  private byte[] certificate(byte[] subject, KeyPair holder, byte[]... extensions)
      throws GeneralSecurityException {
    byte[] tbs =
        Der.sequence(
            Der.explicit(0, Der.integer(VERSION_3)),
            // Section 4.1.2.2: positive and not zero.
            Der.integer(new BigInteger(126, random).setBit(126)),
            ECDSA_WITH_SHA256,
            name,
            Der.sequence(Der.time(now.minus(VALID_SINCE)), Der.time(now.plus(VALID_FOR))),
            subject,
            holder.getPublic().getEncoded(),
            Der.explicit(3, Der.sequence(extensions)));
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(keys.getPrivate());
    signature.update(tbs);
    return Der.sequence(tbs, ECDSA_WITH_SHA256, Der.bitString(signature.sign()));
  }

  private static byte[] extension(String oid, boolean critical, byte[] value) {
    return critical
        ? Der.sequence(Der.oid(oid), Der.yes(), Der.octetString(value))
        : Der.sequence(Der.oid(oid), Der.octetString(value));
  }

  private static byte[] name(String commonName) {
    return Der.sequence(Der.set(Der.sequence(Der.oid("2.5.4.3"), Der.utf8(commonName))));
  }

  private static KeyPair newKeys() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  // Any digest of the public key will do, section 4.2.1.2.
  private static byte[] keyId(KeyPair keys) throws GeneralSecurityException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(keys.getPublic().getEncoded());
    return Arrays.copyOf(digest, 20);
  }

  private static IllegalStateException missing(GeneralSecurityException e) {
    return new IllegalStateException("this JVM lacks ECDSA on P-256, which every JDK has", e);
  }
}
