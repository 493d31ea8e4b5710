package dev.peekpass.cli.stage;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.peekpass.linux.ProcessCalls;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * This process's program, as execve(2) is to run it again, and the files that it uses. Read while
 * this process may.
 *
 * @param path of the program
 * @param arguments as it was started, and what suits a confined JVM; bytes as Latin-1
 * @param environment as it was started; bytes as Latin-1
 * @param mapped files that it has mapped
 * @param opened regular files that it has open
 */
record Image(
    String path,
    List<String> arguments,
    List<String> environment,
    Set<String> mapped,
    Set<String> opened) {

  /**
   * What the confined JVM does without: a file in /tmp for jps and jstat, and a file for the report
   * of a crash, which goes to standard error instead.
   */
  private static final List<List<String>> OPTIONS =
      List.of(
          List.of("UsePerfData", "-XX:-UsePerfData"),
          List.of("ErrorFile", "-XX:+ErrorFileToStderr"));

  /**
   * What the script gives to a first program, and not to the second: compile little, since next to
   * nothing is done more than once. The trained profiles would have a tenth of a second of
   * compiling for what ends at once.
   */
  static final String FIRST_ONLY = "-XX:CompileThresholdScaling=10";

  /** How the second program is started, of the first one's arguments. */
  static List<String> forSecond(List<String> first) {
    List<String> arguments = new ArrayList<>(first);
    // The script's is before all others; the user's may be the same.
    arguments.remove(FIRST_ONLY);
    for (List<String> option : OPTIONS) {
      if (arguments.stream().noneMatch(one -> one.contains(option.getFirst()))) {
        arguments.add(1, option.getLast());
      }
    }
    return arguments;
  }

  static Image current() throws IOException {
    // A JDK with file capabilities (setcap) could not read its own environment.
    var _ = ProcessCalls.setDumpable();
    List<String> arguments = forSecond(strings("/proc/self/cmdline"));
    Set<String> mapped = new LinkedHashSet<>();
    for (String line : Files.readAllLines(Path.of("/proc/self/maps"), ISO_8859_1)) {
      int slash = line.indexOf('/');
      if (slash > 0 && !line.endsWith(" (deleted)")) {
        mapped.add(new String(line.substring(slash).getBytes(ISO_8859_1), nativeCharset()));
      }
    }
    Set<String> opened = new LinkedHashSet<>();
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        try {
          Path file = Files.readSymbolicLink(descriptor);
          boolean standard = descriptor.getFileName().toString().matches("[012]");
          if (!standard && file.isAbsolute() && Files.isRegularFile(file)) {
            opened.add(file.toString());
          }
        } catch (IOException e) {
          // That of the directory itself, which is closed by now.
        }
      }
    }
    return new Image(
        Files.readSymbolicLink(Path.of("/proc/self/exe")).toString(),
        arguments,
        strings("/proc/self/environ"),
        mapped,
        opened);
  }

  private static java.nio.charset.Charset nativeCharset() {
    return java.nio.charset.Charset.forName(
        System.getProperty("sun.jnu.encoding", "UTF-8"), java.nio.charset.StandardCharsets.UTF_8);
  }

  private static List<String> strings(String file) throws IOException {
    String all = new String(Files.readAllBytes(Path.of(file)), ISO_8859_1);
    List<String> strings = new ArrayList<>(List.of(all.split("\0", -1)));
    strings.removeLast();
    return strings;
  }

  /** The loader of shared libraries, which the kernel runs before the program. */
  List<String> loaders() {
    return mapped.stream()
        .filter(file -> Path.of(file).getFileName().toString().startsWith("ld-"))
        .toList();
  }

  /**
   * What is to be readable: libraries by their directory, since others beside them may be needed.
   */
  Set<String> readable() {
    Set<String> readable = new LinkedHashSet<>(opened);
    for (String file : mapped) {
      Path path = Path.of(file);
      boolean library = path.getFileName().toString().contains(".so");
      Path directory = path.getParent();
      readable.add(library && directory != null ? directory.toString() : file);
    }
    return readable;
  }

  static List<byte[]> bytes(List<String> strings) {
    return strings.stream().map(one -> one.getBytes(ISO_8859_1)).toList();
  }
}
