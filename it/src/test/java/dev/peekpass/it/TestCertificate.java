package dev.peekpass.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A self-signed certificate of a few days, made by openssl.
 *
 * @param certificate in PEM; also what clients trust
 * @param key in PEM
 */
record TestCertificate(Path certificate, Path key) {
  /** Makes one for some names, in files in {@code dir}. */
  static TestCertificate make(Path dir, String... names) throws IOException {
    Path certificate = dir.resolve("cert.pem");
    Path key = dir.resolve("key.pem");
    Running.Done made =
        Running.run(
            dir,
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=" + names[0],
            "-addext",
            "subjectAltName="
                + Stream.of(names).map(name -> "DNS:" + name).collect(Collectors.joining(",")),
            "-days",
            "2",
            "-keyout",
            key.toString(),
            "-out",
            certificate.toString());
    assertThat(made.status()).as(made.errors()).isZero();
    return new TestCertificate(certificate, key);
  }
}
