package dev.peekpass.cli.serve;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectoryListingTest {
  @TempDir private Path directory;

  private String page(boolean isRoot) throws IOException {
    return new String(DirectoryListing.page(directory, "/<&>/", isRoot), UTF_8);
  }

  @Test
  void namesFilesAndDirectoriesInOrder() throws IOException {
    Files.createDirectory(directory.resolve("b"));
    Files.createFile(directory.resolve("c"));
    Files.createFile(directory.resolve("a"));
    assertThat(page(true).lines().filter(line -> line.startsWith("<li>")))
        .containsExactly(
            "<li><a href=\"./a\">a</a>",
            "<li><a href=\"./b/\">b/</a>",
            "<li><a href=\"./c\">c</a>");
    assertThat(page(false)).contains("href=\"../\"");
  }

  @Test
  void namesCannotBecomeMarkupOrSchemes() throws IOException {
    Files.createFile(directory.resolve("<b>\"&"));
    Files.createFile(directory.resolve("javascript:alert(1)"));
    assertThat(page(true))
        .contains("href=\"./%3Cb%3E%22%26\">&lt;b&gt;&quot;&amp;<")
        .contains("href=\"./javascript%3Aalert%281%29\"")
        .contains("<h1>/&lt;&amp;&gt;/</h1>");
  }
}
