package dev.peekpass.cli.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SiteTest {
  @TempDir private Path directory;
  private Path root;
  private Site site;

  @BeforeEach
  void createSite() throws IOException {
    root = Files.createDirectory(directory.resolve("root")).toRealPath();
    Files.writeString(root.resolve("a.txt"), "a");
    Files.createDirectory(root.resolve("sub"));
    Files.writeString(directory.resolve("secret"), "s");
    Files.createDirectory(directory.resolve("root-not"));
    site = Site.of(root);
  }

  private Site.Entry find(String... segments) {
    return site.find(List.of(segments));
  }

  @Test
  void findsFilesAndDirectories() {
    assertThat(find()).isEqualTo(new Site.Entry.Directory(root));
    assertThat(find("sub")).isEqualTo(new Site.Entry.Directory(root.resolve("sub")));
    assertThat(find("a.txt"))
        .isInstanceOfSatisfying(
            Site.Entry.RegularFile.class,
            entry -> assertThat(entry.file()).isEqualTo(root.resolve("a.txt")));
  }

  @Test
  void whatIsNotThereIsAbsent() {
    assertThat(find("b.txt")).isEqualTo(new Site.Entry.Absent());
    assertThat(find("a.txt", "b")).isEqualTo(new Site.Entry.Absent());
    assertThat(find("x".repeat(300))).isEqualTo(new Site.Entry.Absent());
  }

  @Test
  void linksThatStayInsideAreFollowed() throws IOException {
    Files.createSymbolicLink(root.resolve("in"), Path.of("a.txt"));
    Files.createSymbolicLink(root.resolve("round"), Path.of("sub/../../root/a.txt"));
    assertThat(find("in")).isInstanceOf(Site.Entry.RegularFile.class);
    assertThat(find("round")).isInstanceOf(Site.Entry.RegularFile.class);
  }

  @Test
  void linksThatLeadOutAreRefused() throws IOException {
    Files.createSymbolicLink(root.resolve("out"), Path.of("../secret"));
    Files.createSymbolicLink(
        root.resolve("absolute"), directory.resolve("secret").toAbsolutePath());
    Files.createSymbolicLink(root.resolve("up"), Path.of(".."));
    Files.createSymbolicLink(root.resolve("neighbour"), Path.of("../root-not"));
    assertThat(find("out")).isEqualTo(new Site.Entry.Forbidden());
    assertThat(find("absolute")).isEqualTo(new Site.Entry.Forbidden());
    assertThat(find("up")).isEqualTo(new Site.Entry.Forbidden());
    assertThat(find("up", "secret")).isEqualTo(new Site.Entry.Forbidden());
    assertThat(find("neighbour")).isEqualTo(new Site.Entry.Forbidden());
  }

  @Test
  void loopsAndDanglingLinksAreAbsent() throws IOException {
    Files.createSymbolicLink(root.resolve("loop"), Path.of("loop"));
    Files.createSymbolicLink(root.resolve("dangling"), Path.of("nothing"));
    assertThat(find("loop")).isEqualTo(new Site.Entry.Absent());
    assertThat(find("dangling")).isEqualTo(new Site.Entry.Absent());
  }

  @Test
  void pipesAreNotOpened() throws Exception {
    new ProcessBuilder("mkfifo", root.resolve("pipe").toString()).start().waitFor();
    assertThat(find("pipe")).isEqualTo(new Site.Entry.Forbidden());
  }

  @Test
  void theRootMayBeALink() throws IOException {
    Path link = Files.createSymbolicLink(directory.resolve("link"), root);
    assertThat(Site.of(link).root()).isEqualTo(root);
  }

  @Test
  void theRootMustBeADirectory() {
    assertThatThrownBy(() -> Site.of(root.resolve("a.txt")))
        .isInstanceOf(NotDirectoryException.class);
    assertThatThrownBy(() -> Site.of(root.resolve("nothing")))
        .isInstanceOf(NoSuchFileException.class);
  }
}
