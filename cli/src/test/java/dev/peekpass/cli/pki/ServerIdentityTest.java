package dev.peekpass.cli.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerIdentityTest {
  @TempDir private Path directory;

  private final ThrowAwayAuthority authority = new ThrowAwayAuthority("throw-away", Instant.now());
  private final ThrowAwayAuthority.Issued issued = authority.issue("a.example");

  private Path file(String name, String content) throws IOException {
    return Files.writeString(directory.resolve(name), content);
  }

  @Test
  void loadsAChainAndItsKey() throws IOException {
    Path chain = file("chain", issued.certificatePem() + authority.certificatePem());
    assertThat(ServerIdentity.load(chain, file("key", issued.keyPem())).getProtocol())
        .isEqualTo("TLS");
  }

  @Test
  void oneFileMayHoldBoth() throws IOException {
    Path both = file("both", issued.keyPem() + issued.certificatePem());
    assertThat(ServerIdentity.load(both, both)).isNotNull();
  }

  @Test
  void aKeyOfAnotherCertificateIsRefused() throws IOException {
    Path certificate = file("cert", issued.certificatePem());
    Path key = file("key", authority.issue("a.example").keyPem());
    assertThatThrownBy(() -> ServerIdentity.load(certificate, key))
        .hasMessageStartingWith(key + ": not the key of the first certificate in " + certificate);
  }

  @Test
  void theServersCertificateComesFirst() throws IOException {
    Path chain = file("chain", authority.certificatePem() + issued.certificatePem());
    Path key = file("key", issued.keyPem());
    assertThatThrownBy(() -> ServerIdentity.load(chain, key))
        .hasMessageContaining("must come first");
  }

  @Test
  void aFileWithoutCertificateIsRefused() throws IOException {
    Path key = file("key", issued.keyPem());
    assertThatThrownBy(() -> ServerIdentity.load(key, key))
        .hasMessage(key + ": no certificate; write a PEM file with BEGIN CERTIFICATE");
  }

  @Test
  void aDamagedCertificateIsNamed() throws IOException {
    Path certificate =
        file("cert", issued.certificatePem() + Pem.text("CERTIFICATE", new byte[] {0x30, 1, 2}));
    Path key = file("key", issued.keyPem());
    assertThatThrownBy(() -> ServerIdentity.load(certificate, key))
        .hasMessageStartingWith(certificate + ": certificate 2 cannot be read");
  }
}
