package dev.peekpass.cli.pki;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peekpass.cli.Curl;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPairGenerator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PrivateKeyFileTest {
  @TempDir private Path directory;

  private Path file(String content) throws IOException {
    return Files.writeString(directory.resolve("key.pem"), content);
  }

  @ParameterizedTest
  @CsvSource({"RSA, RSA", "EC, EC", "Ed25519, EdDSA"})
  void readsPkcs8(String algorithm, String kind) throws Exception {
    byte[] der =
        KeyPairGenerator.getInstance(algorithm).generateKeyPair().getPrivate().getEncoded();
    assertThat(PrivateKeyFile.read(file(Pem.text("PRIVATE KEY", der))).getAlgorithm())
        .isEqualTo(kind);
  }

  @ParameterizedTest
  @CsvSource({
    "'openssl genrsa -traditional 2048', BEGIN RSA PRIVATE KEY, RSA",
    "'openssl ecparam -name prime256v1 -genkey', BEGIN EC PARAMETERS, EC",
    "'openssl ecparam -name secp384r1 -genkey -noout', BEGIN EC PRIVATE KEY, EC",
    "'openssl ecparam -name secp521r1 -genkey -noout', BEGIN EC PRIVATE KEY, EC",
    "'openssl genpkey -algorithm ed25519', BEGIN PRIVATE KEY, EdDSA",
  })
  void readsWhatOpensslWrites(String command, String begin, String kind) throws Exception {
    String pem = Curl.output(List.of(command.split(" ", -1)), "");
    assertThat(pem).contains(begin);
    assertThat(PrivateKeyFile.read(file(pem)).getAlgorithm()).isEqualTo(kind);
  }

  @ParameterizedTest
  @CsvSource({
    "openssl genrsa -traditional -aes128 -passout pass:x 2048",
    "openssl genpkey -algorithm ed25519 -aes128 -pass pass:x",
  })
  void encryptedKeysAreRefusedWithTheRemedy(String command) throws Exception {
    Path file = file(Curl.output(List.of(command.split(" ", -1)), ""));
    assertThatThrownBy(() -> PrivateKeyFile.read(file))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("encrypted")
        .hasMessageContaining("openssl pkey -in " + file);
  }

  @Test
  void aFileWithoutAKeyIsRefused() throws IOException {
    Path file = file(Pem.text("CERTIFICATE", new byte[] {1}));
    assertThatThrownBy(() -> PrivateKeyFile.read(file))
        .hasMessage(file + ": no private key; write a PEM file with BEGIN PRIVATE KEY");
  }

  @ParameterizedTest
  @CsvSource({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})
  void junkIsRefused(String label) throws IOException {
    for (byte[] junk : new byte[][] {{}, {0x30}, {0x30, 3, 2, 1, 1}, {0x30, (byte) 0x84, 1}}) {
      Path file = file(Pem.text(label, junk));
      assertThatThrownBy(() -> PrivateKeyFile.read(file))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith(file + ": ");
    }
  }
}
