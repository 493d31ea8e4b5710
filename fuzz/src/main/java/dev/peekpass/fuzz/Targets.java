package dev.peekpass.fuzz;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The targets that there are: {@code targets.tsv}, which scripts/fuzz reads too. */
final class Targets {
  /** What a target does with an input: throws when a promise is broken. */
  interface Body {
    /** Runs it. */
    void run(byte[] input);
  }

  /**
   * One target.
   *
   * @param name as on the command line
   * @param className of the class with {@code fuzzerTestOneInput}
   * @param kind {@code promises} or {@code oracle}
   */
  record Target(String name, String className, String kind) {
    /** Its code. */
    Body body() {
      MethodHandle handle;
      try {
        handle =
            MethodHandles.publicLookup()
                .findStatic(
                    Class.forName(className),
                    "fuzzerTestOneInput",
                    MethodType.methodType(void.class, byte[].class));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("targets.tsv names no target: " + className, e);
      }
      return input -> {
        try {
          handle.invokeExact(input);
        } catch (RuntimeException | Error e) {
          throw e;
        } catch (Throwable e) {
          throw new IllegalStateException(e);
        }
      };
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private Targets() {}

  /** Gives the inputs in a pack, each with its name. */
  static void unpack(Path pack, BiConsumer<String, byte[]> use) throws IOException {
    try (ZipFile file = new ZipFile(pack.toFile())) {
      for (ZipEntry entry : file.stream().map(ZipEntry.class::cast).toList()) {
        use.accept(entry.getName(), file.getInputStream(entry).readAllBytes());
      }
    }
  }

  /** All of them, in the order of the file. */
  static List<Target> all() {
    try (InputStream in = Targets.class.getResourceAsStream("targets.tsv")) {
      String text = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
      return text.lines()
          .filter(line -> !line.startsWith("#"))
          .map(line -> line.split("\t", -1))
          .map(columns -> new Target(columns[0], columns[1], columns[2]))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
