package dev.peekpass.cli.serve;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads UNIX socket addresses as the configuration writes them: {@code unix:/run/app.sock}. */
final class UnixPath implements ITypeConverter<Path> {
  private static final String SCHEME = "unix:";

  @Override
  public Path convert(String text) {
    if (!text.startsWith(SCHEME) || text.length() == SCHEME.length()) {
      throw new TypeConversionException("must be unix:PATH, is " + text);
    }
    try {
      return Path.of(text.substring(SCHEME.length()));
    } catch (InvalidPathException e) {
      throw new TypeConversionException("must be unix:PATH, is " + text + ": " + e.getReason());
    }
  }
}
