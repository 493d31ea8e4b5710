package dev.peekpass.cli;

import dev.peekpass.linux.LinuxKernel;
import dev.peekpass.proxy.config.ConfigurationReader;
import dev.peekpass.proxy.config.Mistake;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Reads a configuration from where {@code -c} says. */
final class ConfigurationFile {
  private ConfigurationFile() {}

  /**
   * Reads and checks a configuration. A file that cannot be read is a mistake at 1:1.
   *
   * @param name a path, or {@code -} for standard input
   * @param standardInput what {@code -} reads
   */
  static ConfigurationReader.Result read(String name, InputStream standardInput) {
    return read(name, standardInput, bytes -> {});
  }

  /**
   * As the other.
   *
   * @param seen told what was read, when there is anything to check
   */
  static ConfigurationReader.Result read(
      String name, InputStream standardInput, Consumer<String> seen) {
    UnreadableFile ifNot = UnreadableFile.byThisUser(LinuxKernel.open().geteuid());
    return check(name, () -> name.equals("-") ? some(standardInput) : some(name), seen, ifNot);
  }

  /**
   * Reads a file again, for a proxy that serves.
   *
   * @param confinedTo the directory that it was started with, if it is confined to files
   */
  static ConfigurationReader.Result readAgain(
      String name, @Nullable ConfigurationDirectory confinedTo) {
    int uid = LinuxKernel.open().geteuid();
    return check(name, () -> some(name), bytes -> {}, UnreadableFile.byTheProxy(uid, confinedTo));
  }

  /** Checks what was read before. */
  static ConfigurationReader.Result of(String name, String text) {
    UnreadableFile never = new UnreadableFile("nobody", null);
    return check(name, () -> text.getBytes(StandardCharsets.UTF_8), bytes -> {}, never);
  }

  private interface Source {
    byte[] read() throws IOException;
  }

  private static ConfigurationReader.Result check(
      String name, Source source, Consumer<String> seen, UnreadableFile ifNot) {
    String shown = name.equals("-") ? "<stdin>" : name;
    try {
      byte[] bytes = source.read();
      if (bytes.length > ConfigurationReader.MAX_CHARS) {
        return unreadable(
            shown,
            "the file has over " + ConfigurationReader.MAX_CHARS + " bytes",
            "write a smaller one");
      }
      String text =
          StandardCharsets.UTF_8
              .newDecoder()
              .onMalformedInput(CodingErrorAction.REPORT)
              .decode(ByteBuffer.wrap(bytes))
              .toString();
      seen.accept(text);
      return ConfigurationReader.read(shown, text);
    } catch (NoSuchFileException e) {
      return unreadable(shown, "there is no such file", "write the path of a configuration");
    } catch (AccessDeniedException e) {
      return ConfigurationReader.Mistakes.unreadable(ifNot.mistake(name));
    } catch (CharacterCodingException e) {
      return unreadable(shown, "the file is not UTF-8", "save it in UTF-8");
    } catch (IOException | InvalidPathException e) {
      return unreadable(
          shown, "the file cannot be read: " + e.getMessage(), "write the path of a file");
    }
  }

  /** One byte more than allowed tells that there is too much, without reading all of it. */
  private static byte[] some(InputStream in) throws IOException {
    return in.readNBytes(ConfigurationReader.MAX_CHARS + 1);
  }

  private static byte[] some(String path) throws IOException {
    try (InputStream in = Files.newInputStream(Path.of(path))) {
      return some(in);
    }
  }

  private static ConfigurationReader.Result unreadable(String file, String message, String remedy) {
    return ConfigurationReader.Mistakes.unreadable(new Mistake(file, 1, 1, message, remedy));
  }
}
