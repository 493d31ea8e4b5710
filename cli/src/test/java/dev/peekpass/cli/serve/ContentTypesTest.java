package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ContentTypesTest {
  @ParameterizedTest
  @CsvSource({
    "index.html, text/html; charset=utf-8",
    "A.JPG, image/jpeg",
    "x.tar.gz, application/gzip",
    "noextension, application/octet-stream",
    ".html, text/html; charset=utf-8",
    "a., application/octet-stream",
    "a.html.exe, application/octet-stream",
  })
  void goesByTheLastExtension(String name, String type) {
    assertThat(ContentTypes.of(name)).isEqualTo(type);
  }
}
