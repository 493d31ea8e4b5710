package dev.peekpass.cli.stage;

import dev.peekpass.proxy.confine.FileRules;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the files are that the second program needs. */
final class Needs {
  private static final Logger LOG = LoggerFactory.getLogger("dev.peekpass.cli");

  private Needs() {}

  /**
   * Finds them.
   *
   * @param root whether it serves as root
   * @param file the configuration, absolute; empty for standard input
   * @param adminDirectory where the admin socket is to be
   * @param told whether it is said where a reload will not do
   */
  static FileRules.Places find(
      Image image,
      boolean root,
      Optional<Path> file,
      Optional<String> adminDirectory,
      boolean told) {
    String home = System.getProperty("java.home");
    List<String> program = new ArrayList<>();
    for (String property : List.of("jdk.module.path", "java.class.path")) {
      for (String path : System.getProperty(property, "").split(File.pathSeparator, -1)) {
        if (!path.isEmpty()) {
          program.add(Path.of(path).toAbsolutePath().toString());
        }
      }
    }
    // What is written as DIRECTORY/* the JVM's launcher looks up again.
    List<String> listed = new ArrayList<>();
    for (String path : program) {
      Path directory = Path.of(path).getParent();
      if (directory != null && path.endsWith(".jar") && !listed.contains(directory.toString())) {
        listed.add(directory.toString());
      }
    }
    List<String> readable = new ArrayList<>(image.readable());
    readable.addAll(Links.outOf(Path.of(home)));
    List<String> executables = new ArrayList<>(image.loaders());
    executables.add(image.path());
    return new FileRules.Places(
        home,
        program,
        listed,
        readable,
        executables,
        file.map(path -> forReload(path, root, told)).orElse(List.of()),
        adminDirectory);
  }

  private static List<String> forReload(Path file, boolean root, boolean told) {
    String user = System.getProperty("user.home", "");
    List<String> read = new ArrayList<>();
    read.add(FileRules.forReload(file, user, root));
    Path real = file;
    try {
      real = file.toRealPath();
    } catch (IOException e) {
      LOG.debug("{}: {}", file, e.toString());
    }
    String where = FileRules.forReload(real, user, root);
    if (!read.contains(where)) {
      read.add(where);
    }
    // What is replaced by hand or by an editor is what links lead to, or the link.
    for (Path one : List.of(file, real)) {
      if (told && read.contains(one.toString())) {
        LOG.warn(
            "a reload cannot read another file that is put in the place of {}: the proxy may not"
                + " read the rest of {}; a directory of its own, such as /etc/peekpass, is better",
            one,
            one.getParent());
        break;
      }
    }
    return read;
  }
}
