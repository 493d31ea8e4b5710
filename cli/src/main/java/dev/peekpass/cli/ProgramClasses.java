package dev.peekpass.cli;

import java.io.IOException;
import java.lang.module.ModuleReader;
import java.lang.module.ModuleReference;
import java.lang.module.ResolvedModule;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The classes that a running proxy may come to need, whatever happens to it.
 *
 * <p>A JVM loads a class when it is first used, from a jar that it has open. When that is
 * overwritten meanwhile, as by an update that copies new files over the old ones, it finds none of
 * the classes that it has not loaded yet: a reload or the end would fail, and not only the next
 * start. So all of them are loaded before the proxy serves: of Peekpass and of the YAML reader
 * everything, of the log what it uses to write. That takes some 120 ms of CPU, or 10 ms from the
 * AOT cache, and 1 MiB.
 */
final class ProgramClasses {
  private static final Logger LOG = LoggerFactory.getLogger(ProgramClasses.class);

  private static final String CLASS = ".class";

  /**
   * Modules and packages, with what is below them. Other commands' classes are left out, and those
   * of logback that read configuration files.
   */
  private static final List<Part> PARTS =
      List.of(
          Part.all("dev.peekpass.linux", "dev/peekpass/linux"),
          Part.all("dev.peekpass.wire", "dev/peekpass/wire"),
          Part.all("dev.peekpass.proxy", "dev/peekpass/proxy"),
          Part.all("dev.peekpass.cli", "dev/peekpass/cli/process"),
          Part.only("dev.peekpass.cli", "dev/peekpass/cli", "dev/peekpass/cli/stage"),
          Part.all("org.snakeyaml.engine", "org/snakeyaml/engine"),
          Part.all("org.slf4j", "org/slf4j"),
          Part.all("org.slf4j.jdk.platform.logging", "org/slf4j"),
          Part.only(
              "ch.qos.logback.classic",
              "ch/qos/logback/classic",
              "ch/qos/logback/classic/spi",
              "ch/qos/logback/classic/pattern"),
          Part.only(
              "ch.qos.logback.core",
              "ch/qos/logback/core",
              "ch/qos/logback/core/spi",
              "ch/qos/logback/core/pattern",
              "ch/qos/logback/core/status",
              "ch/qos/logback/core/util"));

  /** Some packages of a module, with what is below them or not. */
  private record Part(String module, Set<String> packages, boolean below) {
    static Part all(String module, String packageName) {
      return new Part(module, Set.of(packageName), true);
    }

    static Part only(String module, String... packages) {
      return new Part(module, Set.of(packages), false);
    }

    boolean has(String entry) {
      int slash = entry.lastIndexOf('/');
      if (!entry.endsWith(CLASS) || slash < 0) {
        return false;
      }
      String packageName = entry.substring(0, slash);
      return packages.contains(packageName)
          || (below && packages.stream().anyMatch(one -> packageName.startsWith(one + "/")));
    }
  }

  private ProgramClasses() {}

  /**
   * Loads them, as far as this runs from modules: in a test it does not, and nothing is done.
   *
   * @return how many there are
   * @throws IOException when a module's file cannot be read
   */
  static int load() throws IOException {
    int loaded = 0;
    for (Part part : PARTS) {
      ModuleReference module =
          ModuleLayer.boot().configuration().findModule(part.module()).stream()
              .map(ResolvedModule::reference)
              .findFirst()
              .orElse(null);
      if (module != null) {
        loaded += load(module, part);
      }
    }
    return loaded;
  }

  private static int load(ModuleReference module, Part part) throws IOException {
    try (ModuleReader reader = module.open();
        Stream<String> entries = reader.list()) {
      return (int) entries.filter(part::has).filter(ProgramClasses::load).count();
    }
  }

  private static boolean load(String entry) {
    String name = entry.substring(0, entry.length() - CLASS.length()).replace('/', '.');
    try {
      Class.forName(name, false, ProgramClasses.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException | LinkageError e) {
      // It is for something that is not there: logback has such.
      LOG.debug("{} is not loaded: {}", name, e.toString());
      return false;
    }
  }
}
