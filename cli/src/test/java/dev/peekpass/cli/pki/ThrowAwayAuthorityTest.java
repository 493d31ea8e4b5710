package dev.peekpass.cli.pki;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.peekpass.cli.Curl;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ThrowAwayAuthorityTest {
  private static final Instant NOW = Instant.parse("2026-11-01T12:00:00Z");

  @TempDir private Path directory;

  private final ThrowAwayAuthority authority = new ThrowAwayAuthority("throw-away", NOW);

  private static X509Certificate parse(String pem) throws CertificateException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(pem.getBytes(US_ASCII)));
  }

  @Test
  void signsItselfAsAnAuthority() throws Exception {
    X509Certificate root = parse(authority.certificatePem());
    root.verify(root.getPublicKey());
    assertThat(root.getBasicConstraints()).isEqualTo(Integer.MAX_VALUE);
    // keyCertSign
    assertThat(root.getKeyUsage()[5]).isTrue();
    assertThat(root.getSubjectX500Principal().getName()).isEqualTo("CN=throw-away");
  }

  @Test
  void issuesForOneHostName() throws Exception {
    X509Certificate server = parse(authority.issue("shop.example.test").certificatePem());
    server.verify(parse(authority.certificatePem()).getPublicKey());
    assertThat(server.getBasicConstraints()).isEqualTo(-1);
    assertThat(server.getSubjectAlternativeNames())
        .containsExactly(List.of(2, "shop.example.test"));
    assertThat(server.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.1");
    assertThat(server.getIssuerX500Principal())
        .isEqualTo(parse(authority.certificatePem()).getSubjectX500Principal());
  }

  @Test
  void isValidAroundNowForAMonth() throws Exception {
    X509Certificate server = parse(authority.issue("a.example").certificatePem());
    assertThat(server.getNotBefore()).isEqualTo(Date.from(NOW.minusSeconds(3600)));
    assertThat(server.getNotAfter()).isEqualTo(Date.from(NOW.plusSeconds(30 * 86_400)));
  }

  @Test
  void everyCertificateHasItsOwnSerialNumber() throws Exception {
    assertThat(parse(authority.issue("a.example").certificatePem()).getSerialNumber())
        .isNotEqualTo(parse(authority.issue("a.example").certificatePem()).getSerialNumber());
  }

  @Test
  void opensslFindsNothingWrong() throws Exception {
    ThrowAwayAuthority today = new ThrowAwayAuthority("throw-away", Instant.now());
    Path root = Files.writeString(directory.resolve("ca.pem"), today.certificatePem());
    Path server =
        Files.writeString(directory.resolve("a.pem"), today.issue("a.example").certificatePem());
    String said =
        Curl.output(
            List.of(
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-verify_hostname",
                "a.example",
                "-CAfile",
                root.toString(),
                server.toString()),
            "");
    assertThat(said).endsWith(": OK\n");
  }
}
