package dev.peekpass.cli.stage;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Files of a JDK that are elsewhere: distributions keep its settings in /etc. */
final class Links {
  private static final List<String> DIRECTORIES =
      List.of(".", "conf", "conf/security", "conf/management", "lib", "lib/security");

  private Links() {}

  /** Where the links in a JDK's own directories lead. */
  static List<String> outOf(Path home) {
    List<String> found = new ArrayList<>();
    for (String name : DIRECTORIES) {
      try (DirectoryStream<Path> entries = Files.newDirectoryStream(home.resolve(name))) {
        for (Path entry : entries) {
          if (Files.isSymbolicLink(entry)) {
            found.add(entry.toRealPath().toString());
          }
        }
      } catch (IOException e) {
        // Not there: then it is not needed.
      }
    }
    return found;
  }
}
